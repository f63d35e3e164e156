//! The load: acts in turn, by several threads, at a steady rate.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::Certain;

use super::calls::{self, Call};
use super::curl::{self, Transport};
use super::others;
use super::tally::Tally;
use crate::harness::client::Places;
use crate::load::generator::{Generator, Record as _};

/// When it is enough.
#[derive(Debug, Clone, Copy)]
pub enum Enough {
    /// After this many requests.
    Requests(u64),
    /// After this time.
    Time(Duration),
}

/// What one thread does at a time.
enum Act {
    Curl(Transport, Vec<Call>),
    Other(others::Act),
}

/// Threads that ask.
const THREADS: usize = 6;

/// What is kept of what went wrong.
const MOST_DEVIATIONS: usize = 20;

/// The load under way.
pub struct Load {
    places: Places,
    acts: Vec<Act>,
    enough: Enough,
    /// Requests a second; as fast as it goes without.
    rate: Option<f64>,
    started: Instant,
    done: AtomicU64,
    deviations: AtomicUsize,
}

impl Load {
    /// All acts in turn until it is enough; those that fail among them, or not.
    pub fn new(places: &Places, failing: bool, enough: Enough, rate: Option<f64>) -> Self {
        let (done, deviations) = (AtomicU64::new(0), AtomicUsize::new(0));
        let (places, acts) = (places.clone(), acts(failing));
        Self { places, acts, enough, rate, started: Instant::now(), done, deviations }
    }

    /// Plays it to its end, and calls `watch` every now and then.
    pub fn play(self, watch: impl Fn(&Self)) -> Result<Tally> {
        let load = Arc::new(self);
        let own = Arc::clone(&load);
        let generator = Generator::start(THREADS, move |number, tally| Ok(own.turn(number, tally)));
        while !generator.has_ended() {
            watch(&load);
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut tally: Tally = generator.finish()?;
        tally.deviations.truncate(MOST_DEVIATIONS);
        Ok(tally)
    }

    /// Requests so far.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Since when.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How much of it is done, from 0 to 1.
    pub fn progress(&self) -> f64 {
        let part = match self.enough {
            Enough::Requests(all) => self.done() as f64 / all as f64,
            Enough::Time(all) => self.elapsed().as_secs_f64() / all.as_secs_f64(),
        };
        part.min(1.0)
    }

    fn turn(&self, number: usize, all: &mut Tally) -> ControlFlow<()> {
        // The first round is played whole, so that nothing is left out of a short run.
        if number >= self.acts.len() && self.progress() >= 1.0 {
            return ControlFlow::Break(());
        }
        self.wait();
        let act = &self.acts[number % self.acts.len()];
        let tally = self
            .act(act)
            .unwrap_or_else(|error| Tally { deviations: vec![format!("{error:#}")], ..Tally::default() });
        self.done.fetch_add(tally.requests, Ordering::Relaxed);
        let more = tally.deviations.len();
        all.merge(tally);
        // One deviation fails the run: many more say nothing new.
        if self.deviations.fetch_add(more, Ordering::Relaxed) + more >= MOST_DEVIATIONS {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn act(&self, act: &Act) -> Result<Tally> {
        match act {
            Act::Curl(transport, calls) => curl::play(&self.places, *transport, calls),
            Act::Other(act) => act(&self.places),
        }
    }

    /// Until the rate allows the next act.
    fn wait(&self) {
        while let Some(rate) = self.rate {
            let due = self.elapsed().as_secs_f64() * rate;
            if (self.done() as f64) <= due {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn acts(failing: bool) -> Vec<Act> {
    use Transport::{
        Http1, Http1Closing, Http2, Http10, MutualTls, NoCertificate, Passthrough, PlaintextToTls, Tls,
        TlsHttp2, TlsToPlaintext, Tunnel,
    };
    let carried = |transport: Transport, calls: &[Call]| {
        let calls = calls.iter().copied().filter(|call| transport.carries(call)).collect();
        Act::Curl(transport, calls)
    };
    let some = |transport, call: Call, times| Act::Curl(transport, vec![call; times]);
    let others = |acts: &[others::Act]| acts.iter().copied().map(Act::Other).collect::<Vec<_>>();
    let named = |transport, cause| {
        let failure = Call { status: 0, named: Some((cause, Certain, "")), ..calls::HEALTHY[0] };
        some(transport, failure, 3)
    };
    let all = [Http1, Http1Closing, Http2, Tls, TlsHttp2, MutualTls];
    let mut acts: Vec<Act> = all.into_iter().map(|transport| carried(transport, calls::HEALTHY)).collect();
    let first = calls::HEALTHY[0];
    acts.extend([some(Tunnel, first, 5), some(Passthrough, first, 1), some(Http1, calls::SLOW, 1)]);
    acts.extend(others(others::HEALTHY));
    if failing {
        acts.extend([Http1, Http2, Tls, MutualTls].map(|transport| carried(transport, calls::FAILING)));
        acts.extend([
            named(TlsToPlaintext, Cause::TlsOnPlaintextPort),
            named(PlaintextToTls, Cause::PlaintextOnTlsPort),
            named(NoCertificate, Cause::ClientCertificateMissing),
        ]);
        let old = Call { status: 426, named: Some((Cause::Http10Client, Certain, "")), ..first };
        acts.push(some(Http10, old, 3));
        acts.extend(others(others::FAILING));
    }
    acts
}
