//! Which callback comes next: any that Envoy can make, of several plugins and many streams at a
//! time.

use crate::Callback;
use crate::random::Random;

/// Where a plugin is plugged in, whatever its configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlugPoint {
    HttpFilter,
    NetworkFilter,
    AccessLogger,
}

/// What lives in the VM.
#[derive(Default)]
pub struct Lives {
    contexts: u32,
    plugins: Vec<Plugin>,
    streams: Vec<Stream>,
    /// The plugin that was created last and must be configured next.
    unconfigured: Option<u32>,
}

struct Plugin {
    context: u32,
    plug_point: PlugPoint,
}

struct Stream {
    context: u32,
    plugin: u32,
    plug_point: PlugPoint,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Begun,
    /// The response's headers have passed.
    Answered,
    Logged,
}

const MOST_PLUGINS: usize = 6;
const MOST_STREAMS: usize = 48;

impl Lives {
    /// The next callback.
    pub fn next(&mut self, random: &mut Random) -> Callback {
        if let Some(context) = self.unconfigured.take() {
            return Callback::Configure { context, size: size(random) };
        }
        let may_begin = self.plugins.len() < MOST_PLUGINS;
        if self.plugins.is_empty() || (may_begin && random.one_in(64)) {
            return self.add_plugin(random);
        }
        let plugin = random.pick(&self.plugins);
        let (context, plug_point) = (plugin.context, plugin.plug_point);
        let in_use = self.streams.iter().any(|stream| stream.plugin == context);
        // Envoy ends a plugin after its streams.
        if !in_use && random.one_in(32) {
            self.plugins.retain(|plugin| plugin.context != context);
            return Callback::Delete { context };
        }
        // A plugin may be an access logger besides.
        if plug_point == PlugPoint::AccessLogger || random.one_in(32) {
            return Callback::Log { context };
        }
        if self.streams.is_empty() || (self.streams.len() < MOST_STREAMS && random.one_in(4)) {
            return self.add_stream(context, plug_point);
        }
        let at = random.below(self.streams.len() as u64) as usize;
        self.step(at, random)
    }

    /// Where the plugin of a context is plugged in.
    pub fn plug_point(&self, plugin: u32) -> Option<PlugPoint> {
        self.plugins.iter().find(|known| known.context == plugin).map(|known| known.plug_point)
    }

    fn context(&mut self) -> u32 {
        self.contexts += 1;
        self.contexts
    }

    fn add_plugin(&mut self, random: &mut Random) -> Callback {
        let context = self.context();
        let plug_point =
            *random.pick(&[PlugPoint::HttpFilter, PlugPoint::NetworkFilter, PlugPoint::AccessLogger]);
        self.plugins.push(Plugin { context, plug_point });
        self.unconfigured = Some(context);
        Callback::ContextCreate { context, parent: 0 }
    }

    fn add_stream(&mut self, plugin: u32, plug_point: PlugPoint) -> Callback {
        let context = self.context();
        self.streams.push(Stream { context, plugin, plug_point, phase: Phase::Begun });
        Callback::ContextCreate { context, parent: plugin }
    }

    fn step(&mut self, at: usize, random: &mut Random) -> Callback {
        let stream = &mut self.streams[at];
        let context = stream.context;
        // Some end without being logged.
        if stream.phase == Phase::Logged || random.one_in(16) {
            self.streams.swap_remove(at);
            return Callback::Delete { context };
        }
        if random.one_in(4) {
            stream.phase = Phase::Logged;
            return Callback::Log { context };
        }
        let (size, end) = (size(random), random.one_in(2));
        match (stream.plug_point, stream.phase) {
            (PlugPoint::HttpFilter, Phase::Begun) => {
                stream.phase = Phase::Answered;
                Callback::ResponseHeaders { context, end }
            }
            (PlugPoint::HttpFilter, _) => Callback::ResponseBody { context, size, end },
            _ if random.one_in(8) => {
                Callback::DownstreamClose { context, peer: u32::from(random.one_in(2)) + 1 }
            }
            _ if random.one_in(2) => Callback::DownstreamData { context, size, end },
            _ => Callback::UpstreamData { context, size, end },
        }
    }
}

fn size(random: &mut Random) -> u32 {
    if random.one_in(16) { random.number() as u32 } else { random.below(4096) as u32 }
}
