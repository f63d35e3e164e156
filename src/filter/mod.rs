//! The three roles: each gathers evidence from its plug point, asks for a verdict and reports it.

mod access_log;
mod collect;
mod connection;
mod details_cache;
mod failure_rate;
mod http;
mod report_cache;
mod sampler;
#[cfg(test)]
mod tests;

pub use connection::Connection;
use details_cache::DetailsCache;
use failure_rate::FailureRate;
pub use http::HttpStream;
use report_cache::ReportCache;
use sampler::Sampler;

use crate::causes::Cause;
use crate::config::{Config, ConfigError, LogMode, Role};
use crate::diagnosis::observe;
use crate::evidence::{Details, Direction, Evidence};
use crate::history::History;
use crate::host::{Buffer, Host, Level, MetricKind};
use crate::report::{Counter, Labels, LogLimiter, Report, Series, build_info_name};

/// One configured plugin on one worker thread.
#[derive(Debug)]
pub struct Plugin {
    config: Config,
    limiter: LogLimiter,
    sampler: Sampler,
    history: History,
    details: DetailsCache,
    report_cache: ReportCache,
    failure_rate: FailureRate,
    is_gateway: Option<bool>,
    misplacement_logged: bool,
}

/// The most bytes of configuration that are read.
const LONGEST_CONFIG: usize = 64 * 1024;

impl Plugin {
    /// Reads the configuration. A wrong one leaves one line in the proxy's log and no plugin: traffic flows on.
    pub fn configure(host: &impl Host) -> Option<Self> {
        let bytes = host.buffer(Buffer::PluginConfiguration, 0, LONGEST_CONFIG).unwrap_or_default();
        match Config::parse(&bytes) {
            Ok(config) => {
                announce(host);
                Some(Self::new(config))
            }
            Err(error) => {
                refuse(host, &error);
                None
            }
        }
    }

    /// A plugin with this configuration.
    pub fn new(config: Config) -> Self {
        let limit = (config.log_mode() == LogMode::Limited).then_some(u64::from(config.log_per_minute));
        Self {
            limiter: LogLimiter::new(limit),
            sampler: Sampler::every(config.observe_every),
            history: History::new(config.observe_every),
            details: DetailsCache::default(),
            report_cache: ReportCache::default(),
            failure_rate: FailureRate::default(),
            config,
            is_gateway: None,
            misplacement_logged: false,
        }
    }

    /// The role it was given.
    pub fn role(&self) -> Role {
        self.config.role
    }

    /// Whether the stream or connection that begins now is sampled: observed if it succeeds.
    pub fn samples_next(&mut self) -> bool {
        self.sampler.take()
    }

    /// The HTTP stream that begins now.
    pub fn stream(&mut self) -> HttpStream {
        HttpStream::new(self.samples_next()).marked(self.marks_replies())
    }

    /// The connection that begins now.
    pub fn connection(&mut self) -> Connection {
        Connection::new(self.samples_next())
    }

    /// Whether a response header carries the cause to the client.
    pub fn marks_replies(&self) -> bool {
        self.config.response_header.is_some()
    }

    /// Logs once that this plugin is plugged in where its role can't work, and which one can.
    pub fn log_misplaced(&mut self, host: &impl Host, place: &str, role: &str) {
        if !self.misplacement_logged {
            self.misplacement_logged = true;
            host.log(
                Level::Error,
                &format!("meshwhy: `role`: expected \"{role}\" for {place}; this plugin does nothing here"),
            );
        }
    }

    /// The response code details of a stream.
    fn details(&mut self, host: &impl Host) -> Details {
        self.details.parse(collect::details_text(host))
    }

    /// Which way traffic goes at this listener.
    fn direction(&mut self, host: &impl Host) -> Direction {
        // Istio's gateways mark their listeners as outbound, so the node's kind decides first.
        let is_gateway = *self.is_gateway.get_or_insert_with(|| collect::is_router(host));
        if is_gateway {
            return Direction::Gateway;
        }
        match collect::listener_direction(host) {
            Some(1) => Direction::Inbound,
            Some(2) => Direction::Outbound,
            _ => Direction::Gateway,
        }
    }

    /// The time, and whether this second's failures get brief reports. Where this VM can't read the
    /// clock, all are reported in full.
    fn moment(&mut self, host: &impl Host) -> Moment {
        match host.now() {
            Ok(now) => Moment { now, brief: self.failure_rate.exceeded(now) },
            Err(_) => Moment::default(),
        }
    }

    /// Diagnoses a failure and reports it: filter state where it can be written, counter, log line.
    fn conclude(
        &mut self,
        host: &impl Host,
        series: &mut Series,
        e: Box<Evidence>,
        moment: Moment,
    ) -> Option<Cause> {
        #[cfg(feature = "record")]
        record(host, &e, false);
        let report = self.report_cache.report(e)?;
        if self.config.role != Role::AccessLog {
            write_state(host, &report, moment.brief);
        }
        self.emit(host, series, Counter::Failures, &report, moment.now);
        Some(report.cause)
    }

    /// Counts and logs the soft causes of a success. Filter state stays unset on healthy traffic.
    fn observe(&mut self, host: &impl Host, series: &mut Series, e: &Evidence) {
        #[cfg(feature = "record")]
        record(host, e, true);
        for verdict in observe(e) {
            let now = host.now().unwrap_or_default();
            self.emit(host, series, Counter::Observations, &Report::new(&verdict, e), now);
        }
    }

    fn emit(&mut self, host: &impl Host, series: &mut Series, counter: Counter, report: &Report, now: u64) {
        let resource = report.resource.clone().filter(|_| self.config.resource_label).unwrap_or_default();
        let labels = Labels {
            counter,
            cause: report.cause,
            side: report.side,
            confidence: report.confidence,
            direction: report.direction,
            resource,
        };
        // Nothing can be done about a metric that the host refuses; log and filter state still have
        // it.
        let _ = series.count(host, labels, self.config.max_series, now);
        self.log(host, counter, report, now);
    }

    fn log(&mut self, host: &impl Host, counter: Counter, report: &Report, now: u64) {
        if self.config.log_mode() == LogMode::Off {
            return;
        }
        if let Some(suppressed) = self.limiter.admit(report.cause, now) {
            let level = match counter {
                Counter::Failures => Level::Warn,
                Counter::Observations => Level::Info,
            };
            host.log(level, &report.log_line(counter, suppressed));
        }
    }
}

/// When a failure is concluded.
#[derive(Debug, Clone, Copy, Default)]
struct Moment {
    /// Nanoseconds since the Unix epoch; 0 where that can't be read.
    now: u64,
    /// Whether the report is brief: the cause and the counter alone.
    brief: bool,
}

/// A brief report is the cause alone, by which the access logger sees that the failure is counted.
fn write_state(host: &impl Host, report: &Report, brief: bool) {
    if brief {
        let _ = host.set_property(collect::CAUSE, report.cause.id().as_bytes());
        return;
    }
    for (key, value) in report.fields() {
        // Where it can't be written (no stream left to write to), the counter still has it.
        let _ = host.set_property(key, value.as_bytes());
    }
    let _ = host.set_property("meshwhy", report.json().as_bytes());
}

/// Writes the evidence into the proxy's log, for the tests that replay it.
#[cfg(feature = "record")]
fn record(host: &impl Host, e: &Evidence, soft: bool) {
    if let Ok(line) = crate::record::Record::of(e.clone(), soft).line() {
        host.log(Level::Warn, &format!("{}{line}", crate::record::MARK));
    }
}

/// Leaves `meshwhy_build_info` = 1.
fn announce(host: &impl Host) {
    if let Ok(id) = host.define_metric(MetricKind::Gauge, build_info_name()) {
        let _ = host.record(id, 1);
    }
}

fn refuse(host: &impl Host, error: &ConfigError) {
    host.log(Level::Error, &format!("meshwhy: configuration refused, nothing will be diagnosed: {error}"));
}
