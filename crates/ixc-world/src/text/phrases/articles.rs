//! Articles: instructions, titles, sentences, endings; and the instructions of edits.
//!
//! Slots: `$title`, `$subject`, `$outline`, `$number` of sections, `$tone`, `$must` things to mention.

/// The tones an article may have, and sentences that sound like them.
pub(crate) const TONES: &[(&str, &[&str])] = &[
    (
        "cheerful",
        &[
            "What a {joy|delight} it is to be here!",
            "Everyone {laughs|is in a good mood}, and so are we.",
            "It makes you want to {sing|dance}!",
            "Who would not smile at such a sight?",
            "The world seems to be {playing|winking} at us!",
            "Happy hours like these {fly past|pass quickly}!",
            "{Hurrah|How lovely}, there is so much to see!",
            "You could {hum|whistle} a merry tune to it!",
        ],
    ),
    (
        "calm",
        &[
            "Nobody is in a hurry.",
            "There is time to look and to listen.",
            "Everything {rests|is still}.",
            "A deep breath, and all worries are gone.",
            "Here the hours pass slowly.",
            "Silence {settles over|fills} everything.",
            "Thoughts {wander|come and go} and ask for nothing.",
            "One could sit here for a long while.",
        ],
    ),
    (
        "poetic",
        &[
            "The air is full of {whispers|secrets}.",
            "Time folds its wings.",
            "Every shadow {tells|keeps} a tale.",
            "Even the wind {holds its breath|seems to remember}.",
            "Somewhere an old song begins.",
            "The light paints what words cannot say.",
            "Dreams {linger|walk softly} here.",
            "The heart grows wide.",
        ],
    ),
    (
        "factual",
        &[
            "These are the facts.",
            "Much can be learned from such a scene.",
            "A careful visitor notices every detail.",
            "It is worth taking notes.",
            "Such scenes are typical of this region.",
            "All of this can be seen at a glance.",
            "The details speak for themselves.",
            "Nothing here is invented.",
        ],
    ),
];

/// Chinese tones.
pub(crate) const TONES_CHINESE: &[(&str, &[&str])] = &[
    (
        "欢快",
        &[
            "真让人高兴！",
            "大家的心情都很好！",
            "谁看了都会微笑！",
            "多么美好啊！",
            "让人想要唱歌！",
        ],
    ),
    (
        "平静",
        &["没有人着急。", "时间过得很慢。", "四周静悄悄的。", "可以慢慢地看。", "心里很安宁。"],
    ),
];

/// Instructions; `$detail` holds outline and requirements, and may be empty.
pub(crate) const INSTRUCTIONS: &[&str] = &[
    "{Write|Compose|Please write} an {illustrated |}article {titled|called|with the title} \"$title\". $detail",
    "{I need|I would like} an article about $subject. {Its title is|Title:} \"$title\". $detail",
    "Title: $title. {Write the article|Write an article for it}. $detail",
    "Write {about|an article about} $subject {under|with} the title \"$title\". $detail",
];
/// Instructions as people type them, by what they say: a place, a season, an hour of the day.
pub(crate) const FREE_PLACE: &[&str] = &[
    "{A day|A walk|An hour|Our holidays|A visit|Impressions|Life} $where",
    "{Write|Tell me|An article|A story|Something} about {a day|a visit|life|a walk} $where",
    "What {happens|there is to see} $where",
];
pub(crate) const FREE_SEASON: &[&str] = &[
    "{$season|A day in $season|A $season day|A walk in $season} $where",
    "{Write|Tell me|An article|A story} about {$season|a $season day} $where",
    "How $season {looks|feels} $where",
];
pub(crate) const FREE_HOUR: &[&str] = &[
    "{A $season $hour|$moment|A $hour in $season} $where",
    "{Write|Tell me|An article|A story} about {a $season $hour|$moment} $where",
];
pub(crate) const FREE_LENGTH: &[&str] =
    &["$number {sections|paragraphs}", "in $number {sections|parts|paragraphs}"];
pub(crate) const FREE_TONE: &[&str] =
    &["$tone tone", "{in a |}$tone {tone|mood|voice}", "$tone, please"];
pub(crate) const FREE_MUST: &[&str] = &["with $must", "mention $must", "$must in it"];
/// Instructions that come with pictures.
pub(crate) const INSTRUCTIONS_PICTURES: &[&str] = &[
    "{Write|Please write} an article {about|that goes with} {these|the} $number pictures. $detail",
    "{Use|Take} these $number pictures {for|as material for} an article{ titled \"$title\"|}. $detail",
    "Here are $number pictures. {Write an article about them|Tell their story in an article}. $detail",
];
pub(crate) const OUTLINE: &[&str] = &[
    "{Outline|Follow this outline|Its sections}: $outline.",
    "{Please cover, in this order|In this order}: $outline.",
];
pub(crate) const LENGTH: &[&str] = &[
    "{Length|Make it}: $number sections.",
    "Write $number sections.",
    "It should have $number sections.",
];
pub(crate) const TONE: &[&str] =
    &["Tone: $tone.", "{Keep|Make} the tone $tone.", "{It should sound|Let it sound} $tone."];
pub(crate) const MUST: &[&str] =
    &["{Mention|Be sure to mention|Do not forget} $must.", "$must must {appear|be mentioned}."];

pub(crate) const INSTRUCTIONS_CHINESE: &[&str] =
    &["请写一篇{图文|}文章，题目是《$title》。$detail", "题目：《$title》。请写一篇文章。$detail"];
pub(crate) const INSTRUCTIONS_PICTURES_CHINESE: &[&str] =
    &["请根据这$number张图片写一篇文章。$detail", "这里有$number张图片，请写一篇文章。$detail"];
pub(crate) const OUTLINE_CHINESE: &[&str] = &["提纲：$outline。", "请按这个顺序写：$outline。"];
pub(crate) const LENGTH_CHINESE: &[&str] = &["共$number段。", "写$number段。"];
pub(crate) const TONE_CHINESE: &[&str] = &["语气：$tone。", "语气要$tone。"];
pub(crate) const MUST_CHINESE: &[&str] = &["要提到$must。", "文中要有$must。"];

/// Titles of one place through the hours or the seasons.
pub(crate) const TITLES_ONE: &[&str] = &[
    "Hours $at",
    "{My|Our} visit to $the",
    "$the, again and again",
    "What {changes|happens} $at",
    "Notes from $the",
    "A portrait of $the",
];
/// Titles of several places.
pub(crate) const TITLES_MANY: &[&str] = &[
    "From $the to $other",
    "A journey from $the to $other",
    "{On the way|Wandering} from $the to $other",
    "Postcards from $the and $other",
    "Between $the and $other",
];
pub(crate) const TITLES_CHINESE: &[&str] = &["从$the到$other", "$the和$other", "走过$the和$other"];

/// How a section begins.
pub(crate) const OPENINGS: &[&str] = &[
    "It is $moment $at.",
    "{We come to|We reach} $the on $moment.",
    "$at {we meet|we find} $moment.",
    "{On $moment|On such a moment, $moment,} we are $at.",
    "$moment {begins|unfolds} $at.",
    "Picture $moment $at.",
];
/// A thing in a section.
pub(crate) const THINGS: &[&str] = &[
    "$thing $verb $where.",
    "{We notice|We see|You can see} $thing $where.",
    "$where there $is $thing.",
    "{Look|See}, there $is $thing $where.",
    "$where $verb $thing.",
];

/// What edits ask for.
pub(crate) const REPLACE: &[&str] = &[
    "{Replace|Swap} $old {with|for} $new.",
    "{Write about|Use} $new instead of $old.",
    "Not $old but $new.",
];
pub(crate) const RECOLOUR: &[&str] =
    &["Make $thing $new.", "$thing should be $new.", "Change the colour of $thing to $new."];
pub(crate) const RESEASON: &[&str] =
    &["{Let it be|Move it to} $new.", "Change the season to $new.", "Set it in $new instead."];
pub(crate) const REHOUR: &[&str] =
    &["Let it be $new.", "Change the time of day to $new.", "Make it $new instead."];
pub(crate) const REPLACE_CHINESE: &[&str] = &["把$old换成$new。", "不要写$old，写$new。"];
pub(crate) const RECOLOUR_CHINESE: &[&str] = &["把$thing改成$new。", "$thing应该是$new的。"];
pub(crate) const RESEASON_CHINESE: &[&str] = &["把季节改成$new。", "改写成$new。"];
pub(crate) const REHOUR_CHINESE: &[&str] = &["把时间改成$new。", "改写成$new。"];
