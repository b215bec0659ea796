//! Pickles: those of state dicts, and those that want something else.

use ixc_nn::weights::{PickleFault, StoredType, TorchFault};

use crate::{
    archives::fault,
    support::{Folder, Pickle, SIX, View, bytes_of, f32_bytes, open, torch_file},
};

/// Why a pickle beside the six numbers is refused.
pub(crate) fn refused(pickle: Pickle) -> TorchFault {
    fault(&torch_file(&pickle.0))
}

/// Why the pickle itself is refused.
pub(crate) fn pickle_fault(pickle: Pickle) -> PickleFault {
    match refused(pickle) {
        TorchFault::Pickle(fault) => fault,
        other => panic!("{other}"),
    }
}

/// What a malformed pickle makes.
pub(crate) fn malformed(pickle: Pickle) -> &'static str {
    match pickle_fault(pickle) {
        PickleFault::Malformed { what, .. } => what,
        other => panic!("{other}"),
    }
}

/// A state dict of one tensor `t`.
pub(crate) fn one(view: View) -> Vec<u8> {
    torch_file(&Pickle::state_dict(&[("t", view)]))
}

pub(crate) fn plain() -> View {
    View::plain()
}

// What must open.

#[test]
fn wrappers_parameters_and_attributes_open() {
    let inner = Pickle::new().raw(b"}(").text("t").tensor(&plain()).raw(b"u");
    let wrapped =
        |before: Pickle, after: &[u8]| before.text("state_dict").raw(&inner.0[2..]).raw(after);
    for (what, pickle) in [
        ("a plain dict", inner.clone().raw(b".")),
        ("an ordered dict with its attributes", {
            let dict = Pickle::new().ordered_dict().raw(b"(").text("t").tensor(&plain()).raw(b"u");
            dict.raw(b"}").text("_metadata").ordered_dict().raw(b"sb.")
        }),
        ("a parameter", {
            let open =
                Pickle::new().raw(b"}(").text("t").global("torch._utils", "_rebuild_parameter");
            open.raw(b"(").tensor(&plain()).raw(b"\x88").ordered_dict().raw(b"tRu.")
        }),
        ("a wrapped dict alone", wrapped(Pickle::new().raw(b"}"), b"s.")),
        (
            "a wrapped dict among other things",
            wrapped(
                Pickle::new()
                    .raw(b"}(")
                    .text("epoch")
                    .raw(b"K\x07")
                    .text("loss")
                    .raw(b"G@\x08\0\0\0\0\0\0")
                    .text("names")
                    .raw(b"](")
                    .text("a")
                    .raw(b"Ne"),
                b"u.",
            ),
        ),
        ("one pair at a time", Pickle::new().raw(b"}").text("t").tensor(&plain()).raw(b"s.")),
        ("a short string", Pickle::new().raw(b"}U\x01t").tensor(&plain()).raw(b"s.")),
        ("remembered values", {
            let start = Pickle::new().raw(b"}q\x00(").text("t").raw(b"r\x39\x05\0\0");
            start.tensor(&plain()).raw(b"q\x01").text("u").raw(b"h\x01u.")
        }),
    ] {
        let checkpoint =
            open("a.bin", &torch_file(&pickle.0)).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(bytes_of(&checkpoint, "t"), f32_bytes(&SIX), "{what}");
        assert!(
            checkpoint.names().all(|name| checkpoint.info(name).unwrap().shape == [2, 3]),
            "{what}"
        );
    }
}

#[test]
fn views_are_laid_out_row_by_row() {
    let view = |offset, shape: &[i64], strides: &[i64]| View {
        offset,
        shape: shape.into(),
        strides: strides.into(),
        ..plain()
    };
    let [a, b, c, d, e, f] = SIX;
    for (view, expected, mapped) in [
        (view(0, &[6], &[1]), vec![a, b, c, d, e, f], true),
        (view(0, &[3, 2], &[1, 3]), vec![a, d, b, e, c, f], false), // a transpose
        (view(1, &[2, 2], &[3, 1]), vec![b, c, e, f], false),       // columns of a matrix
        (view(3, &[3], &[1]), vec![d, e, f], true),
        (view(1, &[3], &[2]), vec![b, d, f], false),
        (view(5, &[], &[]), vec![f], true),
        (view(4, &[1, 2, 1], &[77, 1, 99]), vec![e, f], true), // an axis of one strides nowhere
        (view(2, &[2, 1, 2], &[1, 9, 2]), vec![c, e, d, f], false),
        (view(0, &[2, 2], &[1, 1]), vec![a, b, b, c], false), // rows that share numbers
        (view(0, &[0, 4], &[4, 1]), vec![], true),
        (view(9, &[3, 0], &[i64::MAX, 1]), vec![], true),
    ] {
        let checkpoint = open("a.bin", &one(view.clone())).unwrap();
        let shape: Vec<usize> = view.shape.iter().map(|&axis| axis as usize).collect();
        assert_eq!(checkpoint.floats("t", &shape).unwrap(), expected, "{shape:?}");
        let buffer = checkpoint.buffer("t").unwrap();
        assert_eq!(
            (buffer.bytes(), buffer.is_mapped()),
            (f32_bytes(&expected).as_slice(), mapped),
            "{shape:?}"
        );
    }
}

#[test]
fn tensors_may_share_a_storage() {
    let part = |offset| View { offset, shape: vec![3], strides: vec![1], ..plain() };
    let file = torch_file(&Pickle::state_dict(&[
        ("tied", plain()),
        ("t", plain()),
        ("a", part(0)),
        ("b", part(3)),
    ]));
    let checkpoint = open("a.bin", &file).unwrap();
    assert_eq!(bytes_of(&checkpoint, "tied"), bytes_of(&checkpoint, "t"));
    assert_eq!(checkpoint.floats("b", &[3]).unwrap(), SIX[3..]);
}

#[test]
fn every_class_of_storage_has_its_type() {
    for (class, dtype) in [
        ("DoubleStorage", StoredType::F64),
        ("FloatStorage", StoredType::F32),
        ("HalfStorage", StoredType::F16),
        ("BFloat16Storage", StoredType::Bf16),
        ("LongStorage", StoredType::I64),
        ("IntStorage", StoredType::I32),
        ("ShortStorage", StoredType::I16),
        ("CharStorage", StoredType::I8),
        ("ByteStorage", StoredType::U8),
        ("BoolStorage", StoredType::Bool),
    ] {
        let count = 24 / dtype.size() as i64;
        let checkpoint = open(
            "a.bin",
            &one(View { class, count, shape: vec![count], strides: vec![1], ..plain() }),
        );
        let checkpoint = checkpoint.unwrap();
        assert_eq!(checkpoint.info("t").unwrap().dtype, dtype);
        assert_eq!(bytes_of(&checkpoint, "t"), f32_bytes(&SIX));
    }
}

// What must not.

/// Every way that is known of making Python's machine call something, each with a payload that would
/// leave a file behind.
#[test]
fn nothing_is_ever_executed() {
    let folder = Folder::new();
    let canary = folder.file("canary");
    let command = format!("touch {}", canary.display());
    let code = format!("open({canary:?}, 'w')");
    let call = |module: &str, name: &str, argument: &str| {
        Pickle::new().global(module, name).raw(b"(").text(argument).raw(b"tR.")
    };
    let hostile = [
        ("os.system", call("os", "system", &command)),
        ("posix.system", call("posix", "system", &command)),
        ("nt.system", call("nt", "system", &command)),
        ("os.popen", call("os", "popen", &command)),
        ("os.execv", call("os", "execv", &command)),
        ("subprocess.Popen", call("subprocess", "Popen", &command)),
        ("subprocess.check_output", call("subprocess", "check_output", &command)),
        ("pty.spawn", call("pty", "spawn", &command)),
        ("builtins.eval", call("builtins", "eval", &code)),
        ("builtins.exec", call("builtins", "exec", &code)),
        ("builtins.compile", call("builtins", "compile", &code)),
        ("builtins.__import__", call("builtins", "__import__", "os")),
        ("builtins.getattr", call("builtins", "getattr", "os")),
        ("builtins.open", call("builtins", "open", canary.to_str().unwrap())),
        ("__builtin__.eval", call("__builtin__", "eval", &code)),
        ("__builtin__.apply", call("__builtin__", "apply", &code)),
        ("io.open", call("io", "open", canary.to_str().unwrap())),
        ("pathlib.Path", call("pathlib", "Path", canary.to_str().unwrap())),
        ("shutil.rmtree", call("shutil", "rmtree", folder.path().to_str().unwrap())),
        ("webbrowser.open", call("webbrowser", "open", "https://example.com")),
        ("socket.create_connection", call("socket", "create_connection", "example.com")),
        ("runpy.run_path", call("runpy", "run_path", canary.to_str().unwrap())),
        ("importlib.import_module", call("importlib", "import_module", "os")),
        ("operator.attrgetter", call("operator", "attrgetter", "system")),
        ("functools.partial", call("functools", "partial", &command)),
        ("types.FunctionType", call("types", "FunctionType", &code)),
        ("ctypes.CDLL", call("ctypes", "CDLL", "libc.so.6")),
        ("pickle.loads", call("pickle", "loads", &command)),
        ("_pickle.loads", call("_pickle", "loads", &command)),
        ("marshal.loads", call("marshal", "loads", &command)),
        ("code.InteractiveInterpreter", call("code", "InteractiveInterpreter", &code)),
        ("timeit.timeit", call("timeit", "timeit", &code)),
        ("numpy.load", call("numpy", "load", &command)),
        ("numpy's scalar", call("numpy.core.multiarray", "scalar", &code)),
        ("torch.load", call("torch", "load", &command)),
        ("torch.hub.load", call("torch.hub", "load", &command)),
        ("torch.jit.load", call("torch.jit", "load", &command)),
        ("torch.storage._load_from_bytes", call("torch.storage", "_load_from_bytes", &command)),
        ("torch._utils._rebuild_tensor_v3", call("torch._utils", "_rebuild_tensor_v3", &command)),
        (
            "torch._tensor._rebuild_from_type_v2",
            call("torch._tensor", "_rebuild_from_type_v2", &command),
        ),
        ("torch.nn a whole module", call("torch.nn.modules.linear", "Linear", "1")),
        ("a storage that is none", call("torch", "EvilStorage", &command)),
        ("a dotted name", call("collections", "OrderedDict.__class__", &command)),
        ("a dotted module", call("collections.OrderedDict", "__init__", &command)),
        ("another case", call("Collections", "OrderedDict", &command)),
        ("a blank behind", call("collections", "OrderedDict ", &command)),
        ("copyreg", call("copyreg", "_reconstructor", &command)),
        ("copy_reg", call("copy_reg", "_reconstructor", &command)),
        ("codecs", call("_codecs", "encode", &command)),
        ("INST", Pickle::new().raw(b"(").text(&command).raw(b"ios\nsystem\n.")),
        ("OBJ", Pickle::new().raw(b"(").global("collections", "OrderedDict").raw(b"o.")),
        ("NEWOBJ", Pickle::new().global("collections", "OrderedDict").raw(b")\x81.")),
        ("NEWOBJ_EX", Pickle::new().global("collections", "OrderedDict").raw(b")}\x92.")),
        (
            "STACK_GLOBAL",
            Pickle::new().text("os").text("system").raw(b"\x93(").text(&command).raw(b"tR."),
        ),
        ("EXT1", Pickle::new().raw(b"\x82\x01.")),
        ("EXT2", Pickle::new().raw(b"\x83\x01\0.")),
        ("EXT4", Pickle::new().raw(b"\x84\x01\0\0\0.")),
        ("PERSID", Pickle::new().raw(format!("P{command}\n.").as_bytes())),
        ("GLOBAL in front of a sound dict", {
            Pickle::new()
                .global("os", "system")
                .raw(b"(")
                .text(&command)
                .raw(b"tR0")
                .raw(&one_dict()[2..])
        }),
        ("a call as a key", {
            let call =
                Pickle::new().raw(b"}").global("os", "system").raw(b"(").text(&command).raw(b"tR");
            call.tensor(&plain()).raw(b"s.")
        }),
        ("a call in a tensor's shape", {
            let tensor =
                Pickle::new().raw(b"}").text("t").global("torch._utils", "_rebuild_tensor_v2");
            tensor
                .raw(b"(")
                .storage(&plain())
                .number(0)
                .global("os", "system")
                .raw(b"(")
                .text(&command)
                .raw(b"tRtR.")
        }),
        ("a call in the metadata", {
            let dict = Pickle::new().ordered_dict().raw(b"}").text("_metadata");
            dict.global("os", "system").raw(b"(").text(&command).raw(b"tRsb.")
        }),
        (
            "a second pickle behind the first",
            Pickle(one_dict()).raw(&call("os", "system", &command).0),
        ),
    ];
    assert!(hostile.len() >= 60);
    for (what, pickle) in hostile {
        let found = pickle_fault(pickle);
        let expected = match what {
            "a second pickle behind the first" => matches!(found, PickleFault::Malformed { .. }),
            _ => matches!(found, PickleFault::Global { .. } | PickleFault::Opcode { .. }),
        };
        assert!(expected, "{what}: {found}");
        assert!(!canary.exists(), "{what} was executed");
    }
}

pub(crate) fn one_dict() -> Vec<u8> {
    Pickle::state_dict(&[("t", plain())])
}

#[test]
fn a_forbidden_name_is_said_with_its_place() {
    let pickle =
        Pickle::new().raw(b"}").text("t").global("os", "system").raw(b"(").text("id").raw(b"tRs.");
    let found = pickle_fault(pickle);
    assert_eq!(
        found,
        PickleFault::Global { module: "os".into(), name: "system".into(), offset: 9 }
    );
    let message = found.to_string();
    assert!(message.contains("wants to run code") && message.contains("byte 9"), "{message}");
    let message = pickle_fault(Pickle::new().global("os\u{1b}[2J", "x")).to_string();
    assert!(!message.contains('\u{1b}'), "{message:?}");
}

#[test]
fn every_opcode_is_either_known_or_refused_by_name() {
    // What `torch.save` needs, and nothing else. With this many arguments none ends too early.
    let known = b"\x80(NJKMGXUcQRbqrhj)t]}aesu.\x85\x86\x87\x88\x89\x8a";
    for opcode in 0..=u8::MAX {
        let pickle = Pickle::new().raw(&[opcode]).raw(&[b'0'; 64]);
        match refused(pickle) {
            TorchFault::Pickle(PickleFault::Opcode { opcode: found, name, offset: 2 }) => {
                assert!(found == opcode && !known.contains(&opcode), "{opcode:#x} {name}");
            }
            found => assert!(known.contains(&opcode), "{opcode:#x}: {found}"),
        }
    }
}

#[test]
fn other_protocols_are_refused() {
    for found in [0, 1, 3, 4, 5, 255] {
        assert_eq!(
            pickle_fault(Pickle(vec![0x80, found]).raw(b"}.")),
            PickleFault::Protocol { found }
        );
    }
}

#[test]
fn every_truncation_is_refused() {
    let whole = one_dict();
    for length in 0..whole.len() {
        let found = pickle_fault(Pickle(whole[..length].to_vec()));
        assert!(matches!(found, PickleFault::Ended { .. }), "{length}: {found}");
    }
}
