//! What is written: read back by this project and by the reference reader; and what is refused.

use std::collections::BTreeMap;

use half::{bf16, f16};
use ixc_nn::{
    Error,
    weights::{Checkpoint, ShardWriter, Sink, StoredType, TensorPlan, Written},
};
use safetensors::{Dtype, SafeTensors};

use crate::support::{Folder, Random, bytes_of};

fn plan(name: &str, dtype: StoredType, shape: &[usize]) -> TensorPlan {
    TensorPlan { name: name.into(), dtype, shape: shape.into() }
}

/// A tensor's bytes, the same for the same name.
fn content(plan: &TensorPlan) -> Vec<u8> {
    let mut random = Random::new(plan.name.bytes().map(u64::from).sum());
    let count: usize = plan.shape.iter().product();
    (0..count * plan.dtype.size()).map(|_| random.bits() as u8).collect()
}

fn write(folder: &Folder, plans: &[TensorPlan], shard: usize) -> Result<Written, Error> {
    ShardWriter::new(folder.path(), plans.to_vec(), shard)?.write(|plan, sink| {
        let bytes = content(plan);
        let (one, two) = bytes.split_at(bytes.len() / 3);
        sink.bytes(one)?;
        sink.bytes(two)
    })
}

fn plans() -> Vec<TensorPlan> {
    vec![
        plan("model.tok_embeddings.weight", StoredType::Bf16, &[33, 7]),
        plan("byte", StoredType::U8, &[3]),
        plan("model.norm.weight", StoredType::F32, &[5]),
        plan("nothing", StoredType::F32, &[0, 4]),
        plan("single", StoredType::F64, &[]),
        plan("wo.linear.g_idx", StoredType::I32, &[9]),
        plan("quote\"and\\line\n", StoredType::F16, &[2, 2, 2]),
        plan("output.weight", StoredType::F32, &[10, 10]),
    ]
}

fn names_in(folder: &Folder) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn one_file_when_it_fits() {
    let folder = Folder::new();
    let written = write(&folder, &plans(), 1 << 20).unwrap();
    assert_eq!(names_in(&folder), ["model.safetensors"]);
    assert_eq!((written.files, written.index), (vec![folder.file("model.safetensors")], None));
    let bytes = std::fs::read(folder.file("model.safetensors")).unwrap();
    let other = SafeTensors::deserialize(&bytes).unwrap();
    let ours = Checkpoint::open(folder.path()).unwrap();
    assert_eq!((other.len(), ours.names().count()), (plans().len(), plans().len()));
    for plan in plans() {
        let view = other.tensor(&plan.name).unwrap();
        assert_eq!(
            (view.shape(), view.data()),
            (plan.shape.as_slice(), content(&plan).as_slice()),
            "{}",
            plan.name
        );
        assert_eq!(bytes_of(&ours, &plan.name), content(&plan));
        let info = ours.info(&plan.name).unwrap();
        assert_eq!((&info.shape, info.dtype), (&plan.shape, plan.dtype));
        assert!(ours.buffer(&plan.name).unwrap().is_mapped(), "{} is aligned", plan.name);
    }
    assert_eq!(other.tensor("single").unwrap().dtype(), Dtype::F64);
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(header.metadata().as_ref().unwrap()["format"], "pt");
}

#[test]
fn shards_and_their_index_are_of_the_published_form() {
    let folder = Folder::new();
    let written = write(&folder, &plans(), 470).unwrap();
    let count = written.files.len();
    assert!(count >= 3);
    let mut expected: Vec<_> =
        (1..=count).map(|i| format!("model-{i:05}-of-{count:05}.safetensors")).collect();
    expected.push("model.safetensors.index.json".into());
    assert_eq!(names_in(&folder), expected);
    let index: serde_json::Value =
        serde_json::from_slice(&std::fs::read(written.index.unwrap()).unwrap()).unwrap();
    let total: usize = plans().iter().map(|plan| content(plan).len()).sum();
    assert_eq!(
        (index["metadata"]["total_size"].as_u64().unwrap() as usize, written.bytes),
        (total, total)
    );
    let mut seen = BTreeMap::new();
    for file in &written.files {
        let bytes = std::fs::read(file).unwrap();
        let shard = SafeTensors::deserialize(&bytes).unwrap();
        let data: usize = shard.tensors().iter().map(|(_, view)| view.data().len()).sum();
        assert!(data <= 470 || shard.len() == 1, "{data} bytes of {} tensors", shard.len());
        for name in shard.names() {
            let place = index["weight_map"][name].as_str().unwrap();
            assert_eq!(file.file_name().unwrap(), place);
            seen.insert(name.to_owned(), place.to_owned());
        }
    }
    assert_eq!(seen.len(), plans().len());
    let ours = Checkpoint::open(folder.path()).unwrap();
    assert!(plans().iter().all(|plan| bytes_of(&ours, &plan.name) == content(plan)));
}

#[test]
fn numbers_are_rounded_to_the_declared_type() {
    let folder = Folder::new();
    let values: Vec<f32> = (0..40_000).map(|i| (i as f32 - 20_000.0) * 1.2345).collect();
    let shape = [200, 200];
    let types = [StoredType::F32, StoredType::Bf16, StoredType::F16];
    let plans = types.map(|dtype| plan(&dtype.to_string(), dtype, &shape)).to_vec();
    let writer = ShardWriter::new(folder.path(), plans, usize::MAX).unwrap();
    assert_eq!(writer.shards(), 1);
    writer.write(|_, sink| values.chunks(777).try_for_each(|values| sink.f32(values))).unwrap();
    let written = Checkpoint::open(folder.path()).unwrap();
    let expect = |name: &str, round: fn(f32) -> f32| {
        let expected: Vec<f32> = values.iter().map(|&value| round(value)).collect();
        assert_eq!(written.floats(name, &shape).unwrap(), expected, "{name}");
    };
    expect("f32", |value| value);
    expect("bf16", |value| bf16::from_f32(value).to_f32());
    expect("f16", |value| f16::from_f32(value).to_f32());
}

/// Writes one tensor of four numbers with `produce`; nothing may be left in the folder.
fn refused(
    dtype: StoredType,
    produce: impl FnMut(&TensorPlan, &mut Sink<'_>) -> Result<(), Error>,
) -> Error {
    let folder = Folder::new();
    let plans = vec![plan("t", dtype, &[2, 2])];
    let error =
        ShardWriter::new(folder.path(), plans, 1 << 20).unwrap().write(produce).unwrap_err();
    assert_eq!(names_in(&folder), [""; 0]);
    error
}

#[test]
fn too_few_too_many_or_other_numbers_leave_nothing_behind() {
    for count in [0, 3, 5] {
        let error = refused(StoredType::F32, |_, sink| sink.f32(&vec![1.0; count]));
        assert!(matches!(error, Error::Unwritable { .. }), "{error}");
    }
    let error = refused(StoredType::I32, |_, sink| sink.f32(&[1.0; 4]));
    assert!(error.to_string().contains("declared as i32"), "{error}");
    match refused(StoredType::F16, |_, sink| sink.f32(&[1.0, -70_000.0, 2.0, 1e9])) {
        Error::Overflow { tensor, count, largest, .. } => {
            assert_eq!((tensor.as_str(), count, largest), ("t", 2, 1e9))
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_failure_in_the_last_shard_leaves_nothing_behind() {
    #[derive(Debug)]
    enum Mine {
        Theirs,
        Stopped,
    }
    impl From<Error> for Mine {
        fn from(_: Error) -> Self {
            Self::Theirs
        }
    }
    let folder = Folder::with(&[("config.json", b"{}")]);
    let plans: Vec<_> = (0..5).map(|i| plan(&i.to_string(), StoredType::U8, &[100])).collect();
    let mut calls = 0;
    let writer = ShardWriter::new(folder.path(), plans, 100).unwrap();
    assert_eq!(writer.shards(), 5);
    let result = writer.write(|_, sink| {
        calls += 1;
        if calls == 5 {
            return Err(Mine::Stopped);
        }
        Ok(sink.bytes(&[0; 100])?)
    });
    assert!(matches!(result, Err(Mine::Stopped)));
    assert_eq!(names_in(&folder), ["config.json"]);
}

#[test]
fn a_folder_with_weights_is_left_alone() {
    for name in ["model.safetensors", "other.safetensors", "model.safetensors.index.json"] {
        let folder = Folder::with(&[(name, b"mine")]);
        match write(&folder, &plans(), 1 << 20) {
            Err(Error::Occupied { found, .. }) => assert_eq!(found, name),
            other => panic!("{other:?}"),
        }
        assert_eq!(std::fs::read(folder.file(name)).unwrap(), b"mine");
    }
}

#[test]
fn the_folder_is_made_and_a_file_in_its_place_is_an_error() {
    let folder = Folder::with(&[("file", b"")]);
    let deep = folder.file("a/b/c");
    ShardWriter::new(&deep, plans(), 1 << 20).unwrap();
    assert!(deep.is_dir());
    assert!(matches!(ShardWriter::new(&folder.file("file"), plans(), 1), Err(Error::Io { .. })));
}

#[test]
fn what_could_not_be_read_back_is_refused() {
    let huge = usize::MAX / 2;
    for plans in [
        vec![plan("", StoredType::U8, &[1])],
        vec![plan("__metadata__", StoredType::U8, &[1])],
        vec![plan(&"n".repeat(5_000), StoredType::U8, &[1])],
        vec![plan("t", StoredType::U8, &[1]), plan("t", StoredType::U8, &[1])],
        vec![plan("t", StoredType::U8, &[1; 9])],
        vec![plan("t", StoredType::F32, &[huge, 3])],
        vec![
            plan("t", StoredType::U8, &[huge]),
            plan("u", StoredType::U8, &[huge]),
            plan("v", StoredType::U8, &[huge]),
        ],
        (0..2_000).map(|i| plan(&i.to_string(), StoredType::U8, &[1])).collect(),
    ] {
        let folder = Folder::new();
        assert!(matches!(ShardWriter::new(folder.path(), plans, 1), Err(Error::Unwritable { .. })));
    }
}

#[cfg(unix)]
#[test]
fn files_are_readable_as_any_new_file_is() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::with(&[("other", b"")]);
    write(&folder, &plans(), 1 << 20).unwrap();
    let mode = |name: &str| std::fs::metadata(folder.file(name)).unwrap().permissions().mode();
    assert_eq!(mode("model.safetensors"), mode("other"));
}
