//! The composition prompts, against the strings of the published protocol, and hostile answers.

use ixc_input::composition::{
    Step, article, caption, choice, expand, insert, marked, numbered, pieces, places, read_caption,
    read_choice, read_places, rewrite, sections, shorten,
};

fn text(step: &Step) -> String {
    marked(&step.parts).replace("<ImageHere>", "<image>")
}

#[test]
fn an_article_begins_with_its_pictures() {
    assert_eq!(text(&article(0, "Write.")), "Write.");
    assert_eq!(text(&article(2, "Write.")), "<image> <image> Write.");
    assert_eq!(article(2, "Write.").prefix, "");
}

#[test]
fn places_have_the_published_prompt() {
    let sections = ["One.", "Two."];
    assert_eq!(numbered(&sections), "<Seg0> One.\n<Seg1> Two.\n");
    let step = places(0, &sections, Some(1));
    assert_eq!(
        text(&step),
        "给定文章\"<Seg0> One.\n<Seg1> Two.\n\" 根据上述文章，选择适合插入图像的1行"
    );
    assert_eq!(step.prefix, "适合插入图像的行是");
    assert_eq!(
        text(&places(1, &sections, None)),
        "<image> 给定文章\"<Seg0> One.\n<Seg1> Two.\n\" 根据上述文章，选择适合插入图像的行"
    );
}

#[test]
fn captions_show_one_section_more_and_the_past() {
    let sections = ["a", "b", "c", "d"];
    let first = caption::<_, &str>(&sections, &[], 0);
    assert_eq!(
        text(&first),
        "给定文章\"<Seg0> a\n<Seg1> b\n\" 给出适合在<Seg0>后插入的图像对应的标题。"
    );
    assert_eq!(first.prefix, "标题是\"");
    let third = caption(&sections, &[(0, "x"), (1, "y")], 3);
    assert_eq!(
        text(&third),
        "给定文章\"<Seg0> a\n<Seg1> b\n<Seg2> c\n<Seg3> d\n\" 现在<Seg0>后插入图像对应的标题是\"x\"， \
         <Seg1>后插入图像对应的标题是\"y\"。给出适合在<Seg3>后插入的图像对应的标题。"
    );
}

#[test]
fn a_choice_shows_what_was_chosen_and_the_candidates() {
    let texts = pieces(&["a", "b", "c", "d"], &[0, 2]);
    assert_eq!(texts, ["a\n", "b\nc\n"]);
    let step = choice(&texts, 4);
    assert_eq!(
        text(&step),
        "根据给定上下文和候选图像，选择合适的配图：a\n<image>b\nc\n候选图像包括: \
         A.<image>\nB.<image>\nC.<image>\nD.<image>"
    );
    assert_eq!(step.prefix, "最合适的图是");
}

#[test]
fn edits_have_the_published_prompts() {
    assert_eq!(text(&expand("T", "I")), "扩写以下段落：T\n基于以下素材：I");
    assert_eq!(text(&rewrite("T", "I")), "改写以下段落：T\n基于以下素材：I");
    assert_eq!(text(&shorten("T")), "缩写以下段落：T");
    assert_eq!(
        text(&insert("A", "", "I")),
        "在以下两段中插入一段。\n第一段：A\n第二段：\n插入段的大纲：I"
    );
}

#[test]
fn answers_are_read_without_guessing() {
    assert_eq!(sections("a\n\n  \n b \n"), ["a", "b"]);
    assert_eq!(sections(&"x\n".repeat(99)).len(), 60);
    assert_eq!(read_places("<Seg0>, <Seg12>,<Seg1> and <Seg> <Segx> <Seg+3>"), [0, 12, 1]);
    assert_eq!(read_places("<Seg99999999999999999999999>"), [0; 0]);
    assert_eq!(read_caption("A boat\" and more"), Some("A boat"));
    assert_eq!(read_caption("  \""), None);
    assert_eq!(read_choice("B.", 4), Some(1));
    assert_eq!([read_choice("Z", 4), read_choice("", 4), read_choice("E", 4)], [None; 3]);
}
