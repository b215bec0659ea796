//! Writing a world: the same bytes for any number of threads, and none drawn twice.

use std::{fs, ops::ControlFlow, path::Path};

use ixc_world::{
    Error,
    split::Split,
    write::{Options, What, write},
};

fn options(out: &Path, threads: usize) -> Options {
    Options {
        out: out.to_owned(),
        split: Split::Test,
        seed: 5,
        count: 8,
        side: 48,
        what: What::ALL.to_vec(),
        labels: false,
        threads,
    }
}

fn go(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn threads_do_not_show_and_what_is_there_stays() {
    let (one, three) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let written = write(&options(one.path(), 1), &go).unwrap();
    assert_eq!(written.len(), What::ALL.len());
    write(&options(three.path(), 3), &go).unwrap();
    for file in &written {
        let other = three.path().join(file.path.file_name().unwrap());
        assert!(fs::read(&file.path).unwrap() == fs::read(&other).unwrap(), "{:?}", file.path);
    }
    let lines = |name: &str| fs::read_to_string(one.path().join(name)).unwrap();
    let articles = lines("articles.jsonl").replace("/articles/", "/writing/");
    let writing = lines("writing.jsonl");
    assert_eq!(writing.lines().count(), 8, "a conversation for each number");
    assert!(writing.lines().all(|line| articles.lines().any(|other| other == line)));
    let picture = one.path().join("pictures/00000/00000003.png");
    assert!(
        fs::read(&picture).unwrap()
            == fs::read(three.path().join("pictures/00000/00000003.png")).unwrap()
    );
    fs::remove_file(&picture).unwrap();
    write(&options(one.path(), 1), &go).unwrap();
    assert!(!picture.exists(), "a part that is there is not made again");
}

#[test]
fn what_is_broken_off_goes_on_to_the_same_end() {
    let (whole, broken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(&options(whole.path(), 2), &go).unwrap();
    let stop = |done: u64, _: u64| if done < 20 { go(0, 0) } else { ControlFlow::Break(()) };
    let error = write(&options(broken.path(), 2), &stop).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    write(&options(broken.path(), 2), &go).unwrap();
    for what in What::ALL {
        let name = format!("{}.jsonl", what.english());
        assert!(
            fs::read(whole.path().join(&name)).unwrap()
                == fs::read(broken.path().join(&name)).unwrap()
        );
    }
}

#[test]
fn what_cannot_be_is_said() {
    let out = tempfile::tempdir().unwrap();
    let other = Options { side: 4, ..options(out.path(), 1) };
    assert!(matches!(write(&other, &go).unwrap_err(), Error::Side { found: 4 }));
    let other = Options { count: 0, ..options(out.path(), 1) };
    assert!(matches!(write(&other, &go).unwrap_err(), Error::Count { found: 0, .. }));
    write(&options(out.path(), 1), &go).unwrap();
    let other = Options { seed: 6, ..options(out.path(), 1) };
    let error = write(&other, &go).unwrap_err().to_string();
    assert!(error.contains("seed 5") && error.contains("seed 6"), "{error}");
}

#[test]
fn labels_are_beside_every_picture_and_change_nothing_else() {
    let (bare, labelled) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let written = write(&options(bare.path(), 2), &go).unwrap();
    write(&Options { labels: true, ..options(labelled.path(), 2) }, &go).unwrap();
    for file in written.iter().filter(|file| !file.path.ends_with("truth.jsonl")) {
        let lines = |path: &Path| -> Vec<serde_json::Value> {
            let text = fs::read_to_string(path).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let name = file.path.file_name().unwrap();
        let patches = name == "patches.jsonl";
        let pairs = lines(&file.path).into_iter().zip(lines(&labelled.path().join(name)));
        for (mut bare, mut sample) in pairs {
            let labels = sample.as_object_mut().unwrap().remove("image_labels");
            let before = bare.as_object_mut().unwrap().remove("image_labels");
            assert_eq!(before.is_some(), patches, "{bare}");
            // Half of the questions about things begin with one about every patch then.
            let longer = name == "things.jsonl" && bare != sample;
            if longer {
                let turns =
                    |sample: &serde_json::Value| sample["conversations"].as_array().unwrap().len();
                assert_eq!(turns(&sample), turns(&bare) + 2, "{sample}");
                (bare, sample) = (bare["image"].clone(), sample["image"].clone());
                assert_eq!(sample.as_array().unwrap().len(), 1);
                assert_eq!(bare, sample);
                continue;
            }
            assert_eq!(bare, sample);
            let pictures = sample["image"].as_array().map_or(0, Vec::len);
            let lists = labels.as_ref().map_or(0, |labels| labels.as_array().unwrap().len());
            assert_eq!(lists, pictures, "{sample}");
            let words = labels.iter().flat_map(|labels| labels.as_array().unwrap());
            // 48 pixels a side are 3 patches a side.
            assert!(words.clone().all(|words| words.as_array().unwrap().len() == 9), "{sample}");
            assert!(words.clone().all(|words| words.to_string().len() > 9 * 3), "{sample}");
        }
    }
    let error = write(&options(labelled.path(), 1), &go).unwrap_err().to_string();
    assert!(error.contains("with labels"), "{error}");
}
