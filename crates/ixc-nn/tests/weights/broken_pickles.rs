//! Pickles that break a rule of the format or a limit of ours: each is refused by its own words.

use ixc_nn::{
    limits::{MAX_PICKLE_BYTES, MAX_PICKLE_STACK, MAX_TENSORS},
    weights::{PickleFault, TorchFault},
};

use crate::{
    archives::fault,
    pickles::{malformed, one, pickle_fault, plain, refused},
    support::{Pickle, View, archive, open, torch_file},
};

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
