//! Pickles: those of state dicts, and those that want something else.

use ixc_nn::{
    limits::{MAX_PICKLE_BYTES, MAX_PICKLE_STACK, MAX_TENSORS},
    weights::{PickleFault, StoredType, TorchFault},
};

use crate::{
    archives::fault,
    support::{Folder, Pickle, SIX, View, archive, bytes_of, f32_bytes, open, torch_file},
};

/// Why a pickle beside the six numbers is refused.
fn refused(pickle: Pickle) -> TorchFault {
    fault(&torch_file(&pickle.0))
}

/// Why the pickle itself is refused.
fn pickle_fault(pickle: Pickle) -> PickleFault {
    match refused(pickle) {
        TorchFault::Pickle(fault) => fault,
        other => panic!("{other}"),
    }
}

/// What a malformed pickle makes.
fn malformed(pickle: Pickle) -> &'static str {
    match pickle_fault(pickle) {
        PickleFault::Malformed { what, .. } => what,
        other => panic!("{other}"),
    }
}

/// A state dict of one tensor `t`.
fn one(view: View) -> Vec<u8> {
    torch_file(&Pickle::state_dict(&[("t", view)]))
}

fn plain() -> View {
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

fn one_dict() -> Vec<u8> {
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

#[test]
fn calls_of_anything_but_the_allowed_are_refused() {
    let text = || Pickle::new().text("os.system");
    for (what, pickle) in [
        ("a string", text().raw(b")R.")),
        ("a number", Pickle::new().raw(b"K\x01)R.")),
        ("a dict", Pickle::new().raw(b"})R.")),
        ("a tuple", Pickle::new().raw(b"))R.")),
        ("a storage class", Pickle::new().global("torch", "FloatStorage").raw(b")R.")),
        (
            "a storage class with a length",
            Pickle::new().global("torch", "FloatStorage").raw(b"K\x06\x85R."),
        ),
        ("a storage", Pickle::new().storage(&plain()).raw(b")R.")),
        ("a tensor", Pickle::new().tensor(&plain()).raw(b")R.")),
        ("a dict of something", Pickle::new().global("collections", "OrderedDict").raw(b"]\x85R.")),
        ("without a tuple", Pickle::new().global("collections", "OrderedDict").raw(b"]R.")),
        (
            "a tensor of nothing",
            Pickle::new().global("torch._utils", "_rebuild_tensor_v2").raw(b")R."),
        ),
        (
            "a parameter of nothing",
            Pickle::new().global("torch._utils", "_rebuild_parameter").raw(b")R."),
        ),
        ("a parameter of a string", {
            let pickle =
                Pickle::new().global("torch._utils", "_rebuild_parameter").raw(b"(").text("t");
            pickle.raw(b"\x88").ordered_dict().raw(b"tR.")
        }),
        ("with hooks that are none", {
            let pickle = Pickle::new()
                .global("torch._utils", "_rebuild_tensor_v2")
                .raw(b"(")
                .storage(&plain());
            pickle.number(0).numbers(&[6]).numbers(&[1]).raw(b"\x89").text("hook").raw(b"tR.")
        }),
        ("with a seventh argument", {
            let pickle = Pickle::new()
                .global("torch._utils", "_rebuild_tensor_v2")
                .raw(b"(")
                .storage(&plain());
            pickle.number(0).numbers(&[6]).numbers(&[1]).raw(b"\x89").ordered_dict().raw(b"}tR.")
        }),
    ] {
        let found = pickle_fault(pickle);
        assert!(matches!(found, PickleFault::Malformed { .. }), "{what}: {found}");
    }
}

#[test]
fn persistent_ids_that_are_no_storages_are_refused() {
    let id = |pickle: Pickle| Pickle::new().raw(&pickle.0).raw(b"Q.");
    let start = || Pickle(vec![b'(']);
    for (what, pickle) in [
        ("a string", Pickle(vec![]).text("storage")),
        ("nothing", Pickle(vec![b')'])),
        (
            "another kind",
            start()
                .text("module")
                .global("torch", "FloatStorage")
                .text("0")
                .text("cpu")
                .number(6)
                .raw(b"t"),
        ),
        (
            "no class",
            start().text("storage").text("FloatStorage").text("0").text("cpu").number(6).raw(b"t"),
        ),
        (
            "another class",
            start()
                .text("storage")
                .global("collections", "OrderedDict")
                .text("0")
                .text("cpu")
                .number(6)
                .raw(b"t"),
        ),
        (
            "a number as key",
            start()
                .text("storage")
                .global("torch", "FloatStorage")
                .number(0)
                .text("cpu")
                .number(6)
                .raw(b"t"),
        ),
        (
            "a string as length",
            start()
                .text("storage")
                .global("torch", "FloatStorage")
                .text("0")
                .text("cpu")
                .text("6")
                .raw(b"t"),
        ),
        (
            "a negative length",
            start()
                .text("storage")
                .global("torch", "FloatStorage")
                .text("0")
                .text("cpu")
                .number(-6)
                .raw(b"t"),
        ),
        (
            "a view",
            start()
                .text("storage")
                .global("torch", "FloatStorage")
                .text("0")
                .text("cpu")
                .number(6)
                .raw(b"Nt"),
        ),
    ] {
        let found = pickle_fault(id(pickle));
        assert!(matches!(found, PickleFault::Malformed { .. }), "{what}: {found}");
    }
}

#[test]
fn a_storage_key_never_leaves_the_archive() {
    for key in ["../data.pkl", "/etc/passwd", "..", "", "0/../1", "1"] {
        let found = fault(&one(View { key, ..plain() }));
        assert!(matches!(found, TorchFault::NoStorage { .. }), "{key}: {found}");
    }
}

#[test]
fn views_that_leave_their_storage_are_refused() {
    let view = |offset, shape: &[i64], strides: &[i64]| {
        fault(&one(View { offset, shape: shape.into(), strides: strides.into(), ..plain() }))
    };
    let huge = i64::MAX;
    for (offset, shape, strides) in [
        (1, vec![2, 3], vec![3, 1]),
        (0, vec![7], vec![1]),
        (6, vec![1], vec![1]),
        (huge, vec![1], vec![1]),
        (0, vec![2, 3], vec![4, 1]),
        (0, vec![2], vec![huge]),
        (huge, vec![2], vec![huge]),
        (0, vec![huge], vec![1]),
        (0, vec![huge, huge], vec![1, 1]),
        (0, vec![huge, huge, huge], vec![0, 0, 0]),
        (6, vec![], vec![]),
    ] {
        let found = view(offset, &shape, &strides);
        assert!(
            matches!(found, TorchFault::OutOfStorage { .. }),
            "{offset} {shape:?} {strides:?}: {found}"
        );
    }
    for (offset, shape, strides) in
        [(-1, vec![1], vec![1]), (0, vec![-2], vec![1]), (0, vec![2, 3], vec![-3, 1])]
    {
        let found = view(offset, &shape, &strides);
        assert!(
            matches!(found, TorchFault::Pickle(PickleFault::Malformed { .. })),
            "{shape:?}: {found}"
        );
    }
    assert!(matches!(view(0, &[2, 3], &[1]), TorchFault::Pickle(PickleFault::Malformed { .. })));
    assert!(matches!(view(0, &[1; 9], &[1; 9]), TorchFault::Pickle(PickleFault::Malformed { .. })));
}

#[test]
fn a_tensor_that_repeats_its_numbers_is_no_bomb() {
    for (shape, strides) in [
        (vec![7], vec![0]),
        (vec![1 << 40], vec![0]),
        (vec![1 << 30, 6], vec![0, 1]),
        (vec![3, 4], vec![1, 1]),
    ] {
        let found = fault(&one(View { shape, strides, ..plain() }));
        assert!(matches!(found, TorchFault::Expanded { count: 6, .. }), "{found}");
    }
}

#[test]
fn counts_that_no_file_holds_are_refused() {
    for count in [7, 1 << 40, i64::MAX] {
        let found = fault(&one(View { count, ..plain() }));
        assert!(matches!(found, TorchFault::StorageSize { .. }), "{count}: {found}");
    }
    // Strings and numbers that claim more bytes than there are.
    for claim in [b"X\xff\xff\xff\xffab".as_slice(), b"U\xffab", b"\x8a\x08ab", b"J\0\0"] {
        assert!(matches!(pickle_fault(Pickle::new().raw(claim)), PickleFault::Ended { .. }));
    }
    assert!(malformed(Pickle::new().raw(b"\x8a\xff").raw(&[0xff; 255])).contains("eight bytes"));
}

#[test]
fn the_stack_does_not_grow_without_end() {
    let deep = MAX_PICKLE_STACK + 1;
    for (what, bytes) in
        [("marks", vec![b'('; deep]), ("values", vec![b'N'; deep]), ("dicts", vec![b'}'; deep])]
    {
        assert_eq!(malformed(Pickle::new().raw(&bytes)), "too deep a stack", "{what}");
    }
    // Tuples in tuples do not recurse; a million of them hit the limit on objects.
    let mut nested = vec![b')'];
    nested.resize(2_000_000, 0x85);
    assert_eq!(malformed(Pickle::new().raw(&nested)), "too many objects");
    let mut nested = vec![b')'];
    nested.resize(500_000, 0x85);
    assert!(matches!(
        refused(Pickle::new().raw(&nested).raw(b".")),
        TorchFault::NotAStateDict { .. }
    ));
}

#[test]
fn remembering_is_no_bomb() {
    // Each line doubles what the one before stands for: 2^2000 numbers if they were copied out.
    let mut laughs = Pickle::new().raw(b"]q\x00");
    for line in 1..=2_000u32 {
        let last = (line - 1).to_le_bytes();
        laughs =
            laughs.raw(b"](j").raw(&last).raw(b"j").raw(&last).raw(b"er").raw(&line.to_le_bytes());
    }
    assert!(matches!(refused(laughs), TorchFault::Pickle(PickleFault::Ended { .. })));
    // A list that holds itself.
    assert!(matches!(
        refused(Pickle::new().raw(b"]q\x00h\x00a.")),
        TorchFault::NotAStateDict { .. }
    ));
    // The highest place of all is only one place.
    let far = torch_file(&Pickle::new().raw(b"}r\xff\xff\xff\xff.").0);
    assert_eq!(open("a.bin", &far).unwrap().names().count(), 0);
    let mut many = Pickle::new().raw(b"]");
    for place in 0..1_100_000u32 {
        many.0.push(b'r');
        many.0.extend(place.to_le_bytes());
    }
    assert_eq!(malformed(many), "too many objects");
}

#[test]
fn a_pickle_over_the_limit_is_refused() {
    let long = vec![b'N'; MAX_PICKLE_BYTES + 1];
    assert_eq!(pickle_fault(Pickle(long)), PickleFault::TooLong { bytes: MAX_PICKLE_BYTES + 1 });
}

#[test]
fn misuse_of_the_stack_is_refused() {
    for bytes in [
        b".".as_slice(),
        b"R.",
        b"NR.",
        b"b.",
        b"Nb.",
        b"}b.",
        b"Q.",
        b"q\x00.",
        b"h\x00.",
        b"j\x01\0\0\0.",
        b"t.",
        b"u.",
        b"e.",
        b"a.",
        b"s.",
        b"Ns.",
        b"NNs.",
        b"NNNs.",
        b"]Ns.",
        b"}(Nu.",
        b"](NNu.",
        b"}(Ne.",
        b"}Na.",
        b"\x85.",
        b"N\x86.",
        b"NN\x87.",
        b"(.",
        b"}(.",
        b"}(R.",
        b"N(\x85.",
        b"]}(h\x00s.",
        b"}].",
        b"NN.",
        b"}..",
        b"}.N",
        b"X\x02\0\0\0\xff\xfe.",
        b"ccollections\n\xff\n.",
        b"N}b.",
        b"}Nb.",
    ] {
        let found = pickle_fault(Pickle::new().raw(bytes));
        assert!(
            matches!(found, PickleFault::Malformed { .. }),
            "{:?}: {found}",
            bytes.escape_ascii().to_string()
        );
    }
    let endless = Pickle::new().raw(b"c").raw(&[b'm'; 1000]);
    assert!(malformed(endless).contains("without end"));
}

#[test]
fn what_is_no_state_dict_is_refused() {
    for (what, pickle) in [
        ("nothing", Pickle::new().raw(b"N.")),
        ("a string", Pickle::new().text("weights").raw(b".")),
        ("a list", Pickle::new().raw(b"](").tensor(&plain()).raw(b"e.")),
        ("a tensor", Pickle::new().tensor(&plain()).raw(b".")),
        ("a class", Pickle::new().global("collections", "OrderedDict").raw(b".")),
        ("numbered tensors", Pickle::new().raw(b"}K\x00").tensor(&plain()).raw(b"s.")),
    ] {
        let found = refused(pickle);
        assert!(matches!(found, TorchFault::NotAStateDict { .. }), "{what}: {found}");
    }
    for value in [b"N".as_slice(), b"K\x01", b"}", b"]", b")"] {
        let found = refused(Pickle::new().raw(b"}").text("extra").raw(value).raw(b"s."));
        assert_eq!(found, TorchFault::NotATensor { tensor: "extra".into() });
    }
    let storage = Pickle::new().raw(b"}").text("s").storage(&plain()).raw(b"s.");
    assert_eq!(refused(storage), TorchFault::NotATensor { tensor: "s".into() });
}

#[test]
fn one_name_twice_is_refused() {
    let file = torch_file(&Pickle::state_dict(&[("t", plain()), ("u", plain()), ("t", plain())]));
    assert_eq!(fault(&file), TorchFault::DuplicateTensor { tensor: "t".into() });
}

#[test]
fn too_many_tensors_and_too_long_names_are_refused() {
    // One tensor, remembered, under many names.
    let mut pickle = Pickle::new().raw(b"}").tensor(&plain()).raw(b"q\x00");
    pickle = Pickle::new().raw(b"}q\x01").text("first").raw(&pickle.0[3..]).raw(b"s");
    for batch in 0..=MAX_TENSORS / 1_000 {
        pickle = pickle.raw(b"(");
        for name in 0..1_000 {
            pickle = pickle.text(&format!("{batch}.{name}")).raw(b"h\x00");
        }
        pickle = pickle.raw(b"u");
    }
    assert_eq!(refused(pickle.raw(b".")), TorchFault::TooManyTensors);
    let long = Pickle::new().raw(b"}").text(&"n".repeat(100_000)).tensor(&plain()).raw(b"s.");
    assert_eq!(refused(long), TorchFault::NameTooLong { bytes: 100_000 });
}

#[test]
fn an_empty_dict_is_a_checkpoint_of_nothing() {
    let file = archive(&[("data.pkl", &Pickle::new().raw(b"}.").0)]);
    assert_eq!(open("a.bin", &file).unwrap().names().count(), 0);
}
