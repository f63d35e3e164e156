//! A module that traps at its first request and can't be configured again: meshwhy's own has nothing that traps.

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    ImportSection, MemorySection, MemoryType, Module, TypeSection, ValType,
};

/// Where it says in the memory shared by all VMs that it has trapped.
const KEY: &[u8] = b"trapped";

/// Its bytes.
pub(super) fn module() -> Vec<u8> {
    let (mut types, mut imports, mut functions) =
        (TypeSection::new(), ImportSection::new(), FunctionSection::new());
    let (mut exports, mut code) = (ExportSection::new(), CodeSection::new());
    let i32s = |count: usize| vec![ValType::I32; count];
    // By number: parameters and results.
    for (parameters, results) in [(5, 1), (0, 0), (1, 1), (2, 0), (2, 1), (3, 1)] {
        types.ty().function(i32s(parameters), i32s(results));
    }
    imports.import("env", "proxy_get_shared_data", EntityType::Function(0));
    imports.import("env", "proxy_set_shared_data", EntityType::Function(0));
    let key = i32::try_from(KEY.len()).unwrap_or_default();
    let bodies: [(&str, u32, &[i32], Option<u32>); 6] = [
        ("proxy_abi_version_0_2_1", 1, &[], None),
        ("proxy_on_memory_allocate", 2, &[4096], None),
        ("proxy_on_context_create", 3, &[], None),
        ("proxy_on_vm_start", 4, &[1], None),
        // The status is 1 (yes) while the key is not found, and 0 (no) from then on.
        ("proxy_on_configure", 4, &[0, key, 16, 20, 24], Some(0)),
        ("proxy_on_request_headers", 5, &[0, key, 0, key, 0], Some(1)),
    ];
    for (number, (name, kind, constants, call)) in (2..).zip(bodies) {
        functions.function(kind);
        exports.export(name, ExportKind::Func, number);
        let mut body = Function::new([]);
        let mut instructions = body.instructions();
        for constant in constants {
            instructions.i32_const(*constant);
        }
        if let Some(import) = call {
            instructions.call(import);
        }
        if call == Some(1) {
            instructions.drop().unreachable();
        }
        instructions.end();
        code.function(&body);
    }
    let (mut memories, mut data) = (MemorySection::new(), DataSection::new());
    memories.memory(MemoryType {
        minimum: 2,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    exports.export("memory", ExportKind::Memory, 0);
    data.active(0, &ConstExpr::i32_const(0), KEY.iter().copied());
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memories);
    module.section(&exports).section(&code).section(&data);
    module.finish()
}
