//! Edits with a scripted model: prompts, results, and that a refused edit changes nothing.

mod common;

use common::*;
use ixc_compose::{
    Edit, Error, Project, Sources, Watch,
    article::Block,
    assemble,
    chat::Decoding,
    edit::{With, edit},
    source::Origin,
};

/// Title, snow, a picture, boats.
fn project(sources: &Sources) -> Project {
    let script = Script {
        article: "Title\nIt snows.\nBoats.".into(),
        places: "<Seg1>".into(),
        captions: vec!["Snow in the forest\"".into()],
        choices: vec!["B".into()],
        ..Script::default()
    };
    let (made, _) = run(request(sources), &script, sources);
    let (article, assets) = assemble(&made, sources).unwrap();
    Project::new(made, article, assets, 0)
}

/// Makes an edit; what the model was asked.
fn change(
    project: &mut Project,
    what: &Edit,
    script: Script,
    sources: &Sources,
) -> Result<Vec<String>, Error> {
    let model = Scripted::new(script);
    let mut watch = Watch { observe: &mut |_| {}, stop: &|| false };
    edit(project, what, Decoding::Greedy, &model, sources, &mut watch)?;
    Ok(model.asked.take().into_iter().map(|(turn, _)| turn).collect())
}

fn lines(project: &Project) -> Vec<String> {
    let line = |block: &Block| match block {
        Block::Text { text } => text.clone(),
        Block::Picture(picture) => format!("[{}]", picture.caption),
    };
    project.article().blocks.iter().map(line).collect()
}

#[test]
fn paragraphs_are_changed_in_the_protocol_s_words() {
    let sources = with_library();
    let says = |text: &str| Script { article: text.into(), ..Script::default() };
    let words = |text: &str| text.to_owned();
    for (what, asked, after) in [
        (
            Edit::Rewrite { at: 1, material: words("m") },
            "改写以下段落：It snows.\n基于以下素材：m",
            ["Title", "New.", "[Snow in the forest]", "Boats."].as_slice(),
        ),
        (
            Edit::Expand { at: 3, material: words("m") },
            "扩写以下段落：Boats.\n基于以下素材：m",
            &["Title", "It snows.", "[Snow in the forest]", "New."],
        ),
        (
            Edit::Shorten { at: 1 },
            "缩写以下段落：It snows.",
            &["Title", "New.", "[Snow in the forest]", "Boats."],
        ),
        (
            Edit::Insert { at: 2, outline: words("o") },
            "在以下两段中插入一段。\n第一段：It snows.\n第二段：Boats.\n插入段的大纲：o",
            &["Title", "It snows.", "New.", "[Snow in the forest]", "Boats."],
        ),
        (
            Edit::Insert { at: 4, outline: words("o") },
            "在以下两段中插入一段。\n第一段：Boats.\n第二段：\n插入段的大纲：o",
            &["Title", "It snows.", "[Snow in the forest]", "Boats.", "New."],
        ),
        (
            Edit::Again { at: 1, outline: words("o") },
            "在以下两段中插入一段。\n第一段：Title\n第二段：Boats.\n插入段的大纲：o",
            &["Title", "New.", "[Snow in the forest]", "Boats."],
        ),
    ] {
        let mut project = project(&sources);
        let before = project.article().clone();
        let turns = change(&mut project, &what, says("New.\n"), &sources).unwrap();
        assert_eq!(
            (turns, lines(&project)),
            (vec![asked.to_owned()], after.iter().map(|line| words(line)).collect())
        );
        project.undo().unwrap();
        assert_eq!(*project.article(), before);
    }
}

#[test]
fn several_lines_become_several_blocks_and_none_changes_nothing() {
    let sources = with_library();
    let mut project = project(&sources);
    let says = |text: &str| Script { article: text.into(), ..Script::default() };
    let what = Edit::Rewrite { at: 1, material: String::new() };
    change(&mut project, &what, says("One.\n\nTwo."), &sources).unwrap();
    assert_eq!(lines(&project)[1..3], ["One.", "Two."]);
    let before = project.clone();
    let error = change(&mut project, &what, says(" \n"), &sources).unwrap_err();
    assert!(error.to_string().contains("nothing was changed"), "{error}");
    let refused = Script { refuses: Some(""), ..Script::default() };
    change(&mut project, &what, refused, &sources).unwrap_err();
    for (what, says) in [
        (Edit::Delete { at: 9 }, "expected a block from 1 to 5, found 10"),
        (Edit::Move { at: 0, to: 9 }, "found 10"),
        (Edit::Shorten { at: 3 }, "block 4 is a picture"),
        (Edit::Candidates { at: 0 }, "block 1 is a paragraph"),
        (Edit::Insert { at: 7, outline: String::new() }, "expected a place from 1 to 6"),
        (Edit::Replace { at: 3, with: With::Candidate(7) }, "has 4 candidates"),
        (
            Edit::Replace { at: 3, with: With::File { path: "a.png".into(), bytes: vec![1] } },
            "a.png:",
        ),
    ] {
        let error = change(&mut project, &what, Script::default(), &sources).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    assert_eq!(project, before);
}

#[test]
fn blocks_move_and_go() {
    let sources = with_library();
    let mut project = project(&sources);
    change(&mut project, &Edit::Move { at: 2, to: 0 }, Script::default(), &sources).unwrap();
    assert_eq!(lines(&project), ["[Snow in the forest]", "Title", "It snows.", "Boats."]);
    change(&mut project, &Edit::Delete { at: 1 }, Script::default(), &sources).unwrap();
    assert_eq!(lines(&project), ["[Snow in the forest]", "It snows.", "Boats."]);
    // A picture above all text still has a place.
    change(&mut project, &Edit::Recaption { at: 0, caption: None }, Script::default(), &sources)
        .unwrap();
}

#[test]
fn pictures_get_captions_candidates_and_others_in_their_place() {
    let sources = with_library();
    let mut project = project(&sources);
    let origins = |project: &Project| -> Vec<Origin> {
        let (_, picture) = project.article().pictures().next().unwrap();
        picture.candidates.iter().map(|found| found.origin.clone()).collect()
    };
    let shown = |project: &Project| {
        let (_, picture) = project.article().pictures().next().unwrap();
        picture.shown.clone().unwrap()
    };
    let (first, was) = (origins(&project), shown(&project));
    let turns =
        change(&mut project, &Edit::Candidates { at: 2 }, Script::default(), &sources).unwrap();
    assert_eq!((turns.len(), shown(&project)), (0, was.clone()), "only candidates are new");
    let second = origins(&project);
    assert!(!second.is_empty() && second.iter().all(|origin| !first.contains(origin)));
    let with = With::Candidate(1);
    change(&mut project, &Edit::Replace { at: 2, with }, Script::default(), &sources).unwrap();
    assert_eq!(shown(&project).origin, second[1]);
    // The model writes a caption, is asked for a choice.
    let script = Script { captions: vec!["A boat by the lake\"".into()], ..Script::default() };
    let turns = change(&mut project, &Edit::Recaption { at: 2, caption: None }, script, &sources);
    assert_eq!(
        turns.unwrap(),
        [
            "给定文章\"<Seg0> Title\n<Seg1> It snows.\n<Seg2> Boats.\n\" 给出适合在<Seg1>后插入的图像对应的标题。"
        ]
    );
    assert_eq!(lines(&project)[2], "[A boat by the lake]");
    let script = Script { choices: vec!["C".into()], ..Script::default() };
    let chosen = Edit::Replace { at: 2, with: With::Chosen };
    let turns = change(&mut project, &chosen, script, &sources).unwrap();
    assert!(turns[0].starts_with(
        "根据给定上下文和候选图像，选择合适的配图：Title\nIt snows.\n候选图像包括: A."
    ));
    assert_eq!(shown(&project).origin, origins(&project)[2]);
    // A file of one's own stays in the project.
    let with = With::File { path: "me/cat.bmp".into(), bytes: bmp(1, 2, 3) };
    change(&mut project, &Edit::Replace { at: 2, with }, Script::default(), &sources).unwrap();
    assert_eq!(shown(&project).alternative, "cat");
    let again = Project::read(&project.write().unwrap()).unwrap();
    assert!(again.assets.contains_key(&shown(&project).asset));
    assert!(again.assets.contains_key(&was.asset), "undo needs what was there");
}

#[test]
fn a_new_picture_is_captioned_found_and_chosen() {
    let sources = with_library();
    let mut project = project(&sources);
    let script = Script {
        captions: vec!["A boat by the lake\"".into()],
        choices: vec!["B".into()],
        ..Script::default()
    };
    let what = Edit::Illustrate { after: 3, caption: None, with: None };
    let turns = change(&mut project, &what, script, &sources).unwrap();
    assert!(
        turns[0]
            .contains("现在<Seg1>后插入图像对应的标题是\"Snow in the forest\"。给出适合在<Seg2>后")
    );
    assert!(turns[1].contains("It snows.\n<ImageHere>Boats.\n候选图像包括: "), "{}", turns[1]);
    assert_eq!(lines(&project)[4], "[A boat by the lake]");
    let with = Some(With::File { path: "cat.bmp".into(), bytes: bmp(4, 5, 6) });
    let what = Edit::Illustrate { after: 0, caption: Some("Our cat".into()), with };
    assert_eq!(change(&mut project, &what, Script::default(), &sources).unwrap().len(), 0);
    assert_eq!(lines(&project)[1], "[Our cat]");
    // Without any library the place stays open under its caption.
    let what = Edit::Illustrate { after: 0, caption: Some("Nothing".into()), with: None };
    change(&mut project, &what, Script::default(), &Sources::default()).unwrap();
    assert!(project.article().pictures().next().unwrap().1.shown.is_none());
}
