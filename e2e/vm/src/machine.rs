//! The interpreter: calls the module's entry points, and answers its host calls as proxy-wasm 0.2.1 says.

use anyhow::{Context as _, Result};
use wasmi::errors::ErrorKind;
use wasmi::{Caller, Config, Engine, Error, Extern, Instance, Linker, Memory, Module, Store, TrapCode};

use crate::proxy::{Answer, Call, Proxy};

/// What Envoy does when it can't put an answer into the module's memory.
const INVALID_MEMORY_ACCESS: u32 = 6;

/// The most instructions that a callback may take: far more than any needs, less than forever.
const ENOUGH: u64 = 20_000_000;

/// An entry point and its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callback {
    ContextCreate { context: u32, parent: u32 },
    Configure { context: u32, size: u32 },
    ResponseHeaders { context: u32, end: bool },
    ResponseBody { context: u32, size: u32, end: bool },
    DownstreamData { context: u32, size: u32, end: bool },
    UpstreamData { context: u32, size: u32, end: bool },
    DownstreamClose { context: u32, peer: u32 },
    Log { context: u32 },
    Delete { context: u32 },
}

/// One VM with the module in it.
pub struct Machine<P> {
    store: Store<P>,
    instance: Instance,
}

impl<P: Proxy> Machine<P> {
    /// Loads the module.
    pub fn new(wasm: &[u8], proxy: P) -> Result<Self> {
        let mut config = Config::default();
        config.consume_fuel(true);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, wasm).context("the module can't be read")?;
        let mut store = Store::new(&engine, proxy);
        store.set_fuel(ENOUGH)?;
        let instance = linker::<P>(&engine)?.instantiate_and_start(&mut store, &module)?;
        instance.get_typed_func::<(), ()>(&store, "_initialize")?.call(&mut store, ())?;
        Ok(Self { store, instance })
    }

    /// The proxy.
    pub fn proxy(&mut self) -> &mut P {
        self.store.data_mut()
    }

    /// Ends the VM; the proxy is left.
    pub fn into_proxy(self) -> P {
        self.store.into_data()
    }

    /// Bytes of memory that the VM has taken; it never gives any back.
    pub fn memory(&self) -> usize {
        let memory = self.instance.get_memory(&self.store, "memory");
        memory.map_or(0, |memory| memory.data_size(&self.store))
    }

    /// Calls an entry point; how many instructions (the interpreter's fuel) it took. A trap is an error.
    pub fn call(&mut self, callback: Callback) -> Result<u64> {
        self.store.set_fuel(ENOUGH)?;
        let returned = self.enter(callback).map_err(|error| match error.kind() {
            ErrorKind::TrapCode(TrapCode::OutOfFuel) => anyhow::anyhow!("{callback:?} doesn't end"),
            _ => anyhow::anyhow!("{callback:?} traps: {error}"),
        })?;
        let expected = u32::from(matches!(callback, Callback::Configure { .. }));
        anyhow::ensure!(
            returned.is_none_or(|action| action == expected),
            "{callback:?} returns {returned:?}: that would hold up traffic"
        );
        Ok(ENOUGH - self.store.get_fuel()?)
    }

    fn enter(&mut self, callback: Callback) -> Result<Option<u32>, Error> {
        let Self { store, instance } = self;
        macro_rules! export {
            ($name:literal, ($($argument:expr),*) -> u32) => {{
                let entry = instance.get_typed_func::<_, u32>(&*store, $name)?;
                entry.call(store, ($($argument),*)).map(Some)
            }};
            ($name:literal, ($($argument:expr),*)) => {{
                let entry = instance.get_typed_func::<_, ()>(&*store, $name)?;
                entry.call(store, ($($argument),*)).map(|()| None)
            }};
        }
        match callback {
            Callback::ContextCreate { context, parent } => {
                export!("proxy_on_context_create", (context, parent))
            }
            Callback::Configure { context, size } => export!("proxy_on_configure", (context, size) -> u32),
            Callback::ResponseHeaders { context, end } => {
                export!("proxy_on_response_headers", (context, 0_u32, u32::from(end)) -> u32)
            }
            Callback::ResponseBody { context, size, end } => {
                export!("proxy_on_response_body", (context, size, u32::from(end)) -> u32)
            }
            Callback::DownstreamData { context, size, end } => {
                export!("proxy_on_downstream_data", (context, size, u32::from(end)) -> u32)
            }
            Callback::UpstreamData { context, size, end } => {
                export!("proxy_on_upstream_data", (context, size, u32::from(end)) -> u32)
            }
            Callback::DownstreamClose { context, peer } => {
                export!("proxy_on_downstream_connection_close", (context, peer))
            }
            Callback::Log { context } => export!("proxy_on_log", (context)),
            Callback::Delete { context } => export!("proxy_on_delete", (context)),
        }
    }
}

/// The host functions that the module may call, in alphabetical order.
pub fn imports(wasm: &[u8]) -> Result<Vec<String>> {
    let module = Module::new(&Engine::default(), wasm)?;
    let mut names: Vec<String> = module.imports().map(|i| format!("{}.{}", i.module(), i.name())).collect();
    names.sort();
    Ok(names)
}

/// A host function's view of the module.
struct Inside<'c, 'a, P>(&'c mut Caller<'a, P>);

impl<P: Proxy> Inside<'_, '_, P> {
    fn memory(&self) -> Result<Memory, Error> {
        let memory = self.0.get_export("memory").and_then(Extern::into_memory);
        memory.ok_or_else(|| Error::new("the module has no memory"))
    }

    /// What the module points at. A pointer outside its memory is the module's mistake: it ends the test.
    fn read(&self, pointer: u32, size: u32) -> Result<Vec<u8>, Error> {
        let begin = pointer as usize;
        let bytes = self.memory()?.data(&self.0).get(begin..begin + size as usize).map(<[u8]>::to_vec);
        bytes.ok_or_else(|| Error::new(format!("the module points at {size} bytes from {pointer}")))
    }

    fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), Error> {
        self.memory()?
            .write(&mut *self.0, pointer as usize, bytes)
            .map_err(|_| Error::new(format!("the module wants {} bytes at {pointer}", bytes.len())))
    }

    fn answer(&mut self, call: Call<'_>) -> Answer {
        self.0.data_mut().answer(call)
    }

    /// Gives the module bytes: in memory that it allocates, as Envoy does, which allocates nothing for no bytes.
    fn give(&mut self, answer: Answer, pointer_to: u32, size_to: u32) -> Result<u32, Error> {
        let bytes = match answer {
            Answer::Status(status) => return Ok(status),
            Answer::Bytes(bytes) => bytes,
            Answer::Number(number) => number.to_le_bytes().to_vec(),
        };
        let size = u32::try_from(bytes.len()).map_err(|_| Error::new("an answer of 4 GB"))?;
        let mut pointer = 0;
        if size > 0 {
            let allocate = self.0.get_export("malloc").and_then(Extern::into_func);
            let allocate = allocate.ok_or_else(|| Error::new("the module can't allocate"))?;
            pointer = allocate.typed::<u32, u32>(&self.0)?.call(&mut *self.0, size)?;
            if pointer == 0 {
                return Ok(INVALID_MEMORY_ACCESS);
            }
            self.write(pointer, &bytes)?;
        }
        self.write(pointer_to, &pointer.to_le_bytes())?;
        self.write(size_to, &size.to_le_bytes())?;
        Ok(0)
    }
}

fn status(answer: &Answer) -> u32 {
    if let Answer::Status(status) = answer { *status } else { 0 }
}

fn linker<P: Proxy>(engine: &Engine) -> Result<Linker<P>> {
    let mut linker = Linker::new(engine);
    macro_rules! host {
        ($name:literal, |$inside:ident $(, $argument:ident: $type:ty)*| $body:expr) => {
            linker.func_wrap(
                "env",
                $name,
                |mut caller: Caller<'_, P> $(, $argument: $type)*| -> Result<u32, Error> {
                    #[allow(unused_mut, reason = "some calls only look")]
                    let mut $inside = Inside(&mut caller);
                    $body
                },
            )?
        };
    }
    host!("proxy_log", |inside, level: u32, message: u32, size: u32| {
        let message = inside.read(message, size)?;
        Ok(status(&inside.answer(Call::Log { level, message: &message })))
    });
    host!("proxy_get_current_time_nanoseconds", |inside, to: u32| {
        match inside.answer(Call::Time) {
            Answer::Number(time) => inside.write(to, &time.to_le_bytes()).map(|()| 0),
            other => Ok(status(&other)),
        }
    });
    host!("proxy_get_property", |inside, path: u32, size: u32, pointer_to: u32, size_to: u32| {
        let path = inside.read(path, size)?;
        let answer = inside.answer(Call::Property(&path));
        inside.give(answer, pointer_to, size_to)
    });
    host!("proxy_set_property", |inside, key: u32, key_size: u32, value: u32, size: u32| {
        let (key, value) = (inside.read(key, key_size)?, inside.read(value, size)?);
        Ok(status(&inside.answer(Call::SetProperty { key: &key, value: &value })))
    });
    host!("proxy_get_header_map_value", |inside,
                                         map: u32,
                                         name: u32,
                                         size: u32,
                                         pointer_to: u32,
                                         size_to: u32| {
        let name = inside.read(name, size)?;
        let answer = inside.answer(Call::Header { map, name: &name });
        inside.give(answer, pointer_to, size_to)
    });
    host!("proxy_replace_header_map_value", |inside,
                                             map: u32,
                                             name: u32,
                                             name_size: u32,
                                             value: u32,
                                             size: u32| {
        let (name, value) = (inside.read(name, name_size)?, inside.read(value, size)?);
        Ok(status(&inside.answer(Call::SetHeader { map, name: &name, value: &value })))
    });
    host!("proxy_remove_header_map_value", |inside, map: u32, name: u32, size: u32| {
        let name = inside.read(name, size)?;
        Ok(status(&inside.answer(Call::RemoveHeader { map, name: &name })))
    });
    host!("proxy_get_buffer_bytes", |inside,
                                     buffer: u32,
                                     start: u32,
                                     max: u32,
                                     pointer_to: u32,
                                     size_to: u32| {
        let answer = inside.answer(Call::Buffer { buffer, start, max });
        inside.give(answer, pointer_to, size_to)
    });
    host!("proxy_define_metric", |inside, kind: u32, name: u32, size: u32, to: u32| {
        let name = inside.read(name, size)?;
        match inside.answer(Call::DefineMetric { kind, name: &name }) {
            Answer::Number(id) => inside.write(to, &(id as u32).to_le_bytes()).map(|()| 0),
            other => Ok(status(&other)),
        }
    });
    host!("proxy_increment_metric", |inside, metric: u32, by: i64| {
        Ok(status(&inside.answer(Call::Increment { metric, by })))
    });
    host!("proxy_record_metric", |inside, metric: u32, value: u64| {
        Ok(status(&inside.answer(Call::Record { metric, value })))
    });
    Ok(linker)
}
