//! Questions about one picture and about two, with their answers as sentences.
//!
//! Slots: `$one` "dog", `$many` "dogs", `$the` "the dog" or "the dogs", `$is` and `$do` in its number, `$a` "a dog"
//! or "dogs". Sentence answers have the slot `$answer`.

/// What is asked of a whole family: `$family` "animals", and how it is answered.
pub(crate) const FAMILY: &[&str] = &[
    "{Are there|Are there any} $family{| here| in {this|the} {picture|image}}?",
    "{Do|Can} you see {|any }$family{| here| in {this|the} {picture|image}}?",
    "Does {this|the} {picture|image} show {|any }$family?",
];
pub(crate) const FAMILY_NO: &[&str] = &[
    "No, there are no $family{| here| in {this|the} picture}.",
    "No, I {see no|cannot see any} $family{| here| in the picture}.",
];

/// Whether it is such a weather, hour, season or place: `$what`, and what it is: `$answer`.
pub(crate) const IS_IT: &[&str] = &["Is it $what{| here| there| in {this|the} {picture|image}}?"];
pub(crate) const IS_IT_YES: &[&str] = &["Yes, it is $answer."];
pub(crate) const IS_IT_NO: &[&str] = &["No, it is $answer."];

/// What asks for a word.
pub(crate) const SHORT: &[&str] = &[
    "Answer with one word.",
    "One word, please.",
    "Answer briefly.",
    "Just the answer, please.",
    "Give a short answer.",
];
/// What asks for a sentence.
pub(crate) const SENTENCE: &[&str] =
    &["Answer in a sentence.", "Use a full sentence.", "Please answer in a whole sentence."];
/// The same in Chinese.
pub(crate) const SHORT_CHINESE: &[&str] = &["请用一个词回答。", "请简短回答。", "只说答案。"];
pub(crate) const SENTENCE_CHINESE: &[&str] = &["请用一句话回答。", "请用完整的句子回答。"];

pub(crate) const EXISTENCE: &[&str] = &[
    "Is there a $one{| here| in {this|the} {picture|image}}?",
    "{Can you see|Do you see} a $one{| here| in {this|the} {picture|image}}?",
    "Does {this|the} {picture|image} show a $one?",
    "{Are there|Are there any|Do you see any} $many{| here| in {this|the} {picture|image}}?",
    "Is a $one to be seen{| here| in this picture}?",
];
pub(crate) const EXISTENCE_YES: &[&str] = &[
    "Yes, there $is $things{| in the picture}.",
    "Yes, {I|you can} see $things{| here}.",
    "Yes, the picture shows $things.",
];
pub(crate) const EXISTENCE_NO: &[&str] = &[
    "No, there is no $one{| here| in {this|the} picture}.",
    "No, I {see no|cannot see a} $one{| here| in the picture}.",
    "No, there are no $many{| here| in {this|the} picture}.",
];

pub(crate) const COLOUR: &[&str] = &[
    "{What|Which} {colour|color} $is $the?",
    "{What is|What's} the {colour|color} of $the?",
    "{Tell me|Say} the {colour|color} of $the.",
    "$the: {what|which} colour?",
];
pub(crate) const COLOUR_PEOPLE: &[&str] = &[
    "{What|Which} {colour|color} $does $the wear?",
    "What is the colour of {$own|the} clothes{ of $the|, I mean those of $the}?",
    "In {what|which} colour $is $the dressed?",
];
pub(crate) const COLOUR_SAY: &[&str] =
    &["$the $is $answer.", "{It is|That is} $answer: $the $is $answer."];
pub(crate) const COLOUR_SAY_PEOPLE: &[&str] =
    &["$the $is dressed in $answer.", "$the $wear $answer."];

pub(crate) const COUNT: &[&str] = &[
    "How many $many {are there|do you see|can you see|are in the picture}?",
    "How many $many{| are there| do you see} in {this|the} {picture|image}?",
    "Count the $many{|, please| in this picture}.",
    "What is the number of $many{| in this picture}?",
    "{What|Tell me: what} is the number of $many{| here}?",
];
pub(crate) const COUNT_SAY: &[&str] = &[
    "There $is $answer $noun{| in the picture}.",
    "{I|You} {see|can see} $answer $noun.",
    "The picture shows $answer $noun.",
];

pub(crate) const POSITION: &[&str] = &[
    "Where is $the: left, middle or right?",
    "Is $the on the left, in the middle or on the right?",
    "On which side {of the picture is $the|is $the}: left, middle or right?",
    "In which part of the picture is $the: left, middle or right?",
];
pub(crate) const POSITION_SAY: &[&str] =
    &["$the is $answer{| of the picture}.", "{You find|I see} $the $answer{| of the picture}."];

pub(crate) const DISTANCE: &[&str] = &[
    "$is $the near or far{| away}?",
    "How far away $is $the: near or far?",
    "$is $the {close by|in the foreground} or {far away|in the distance}? {Say near or far|Near or far}.",
];
pub(crate) const DISTANCE_NEAR: &[&str] =
    &["$the $is near.", "$the $is near us, in the foreground."];
pub(crate) const DISTANCE_FAR: &[&str] =
    &["$the $is far away.", "$the $is far away, in the background."];

pub(crate) const SIZE: &[&str] = &[
    "Is $the small or large?",
    "{What|Which} size is $the: small or large?",
    "How big is $the: small or large?",
];
pub(crate) const SIZE_SAY: &[&str] = &["$the is $answer.", "It is a $answer $one."];

pub(crate) const WEATHER: &[&str] = &[
    "{What is|What's} the weather{| like}{| in {this|the} {picture|image}}?",
    "How is the weather{| here| outside}?",
    "{Which|What} weather {do you see|does the picture show}?",
    "Is it clear, cloudy, rainy, snowy, foggy or stormy?",
];
pub(crate) const WEATHER_SAY: &[&str] = &[
    "The weather is $answer.",
    "It is $answer{| outside}.",
    "{The picture shows|We see} $answer weather.",
];

pub(crate) const HOUR: &[&str] = &[
    "What time {is it|of day is it}{| in {this|the} {picture|image}}?",
    "Is it morning, day, evening or night?",
    "{Which|What} time of day {do you see|does the picture show}?",
];
pub(crate) const HOUR_SAY: &[&str] =
    &["It is $answer.", "{The picture shows|This is} the $answer.", "The time is $answer."];

pub(crate) const SEASON: &[&str] = &[
    "{What|Which} season is it{| in {this|the} {picture|image}}?",
    "{What is|What's} the season{| here}?",
    "Is it spring, summer, autumn or winter?",
    "{What|Which} time of the year {is it|does the picture show}?",
    "{What|Which} season {do you see|does the picture show}?",
];
pub(crate) const SEASON_SAY: &[&str] =
    &["It is $answer.", "The season is $answer.", "{This is|The picture shows} $answer."];

pub(crate) const PLACE: &[&str] = &[
    "Where {is|was} this{| picture taken| scene| taken}?",
    "{What|Which} {kind of |}place {is this|do you see|does the picture show}?",
    "Where are we{| here| in this picture}?",
];
pub(crate) const PLACE_SAY: &[&str] =
    &["{This|It} is the $answer.", "We see the $answer.", "The picture shows the $answer."];

pub(crate) const SIGN: &[&str] = &[
    "What does the sign say?",
    "What is written on the sign?",
    "{Read|Can you read} the sign{|, please}.",
    "{Which|What} word {is|do you read} on the sign?",
];
pub(crate) const SIGN_SAY: &[&str] =
    &["The sign says \"$answer\".", "It says \"$answer\".", "The word on the sign is \"$answer\"."];

pub(crate) const MORE: &[&str] = &[
    "Are there more $many or more $others?",
    "{What|Which} are there more of: $many or $others?",
    "Which {is greater|is larger}, the number of $many or the number of $others?",
];
pub(crate) const MORE_SAY: &[&str] =
    &["There are more $answer.", "{The picture shows|I see} more $answer."];

pub(crate) const SAME_COLOUR: &[&str] = &[
    "{Do|Tell me: do} $the and $other have the same colour?",
    "Are $the and $other of the same colour?",
];
pub(crate) const SAME_COLOUR_YES: &[&str] =
    &["Yes, both are $answer.", "Yes, they have the same colour: $answer."];
pub(crate) const SAME_COLOUR_NO: &[&str] =
    &["No, they have different colours.", "No, their colours are not the same."];

/// Two pictures.
pub(crate) const TWO_MORE: &[&str] = &[
    "Which picture {has|shows} more $many{|, the first or the second}?",
    "In which picture {are there|do you see} more $many{|, the first or the second}?",
    "Are there more $many in the first picture or in the second?",
];
pub(crate) const TWO_WHICH: &[&str] = &[
    "Which picture {shows|has} a $one, the first or the second?",
    "In which of the two pictures is there a $one?",
    "Where do you see a $one: in the first or in the second picture?",
];
pub(crate) const TWO_SAY: &[&str] =
    &["The $answer picture.", "It is the $answer picture.", "In the $answer picture."];
pub(crate) const TWO_SAME: &[&str] = &[
    "{Is it the same $aspect in both pictures|Do the two pictures show the same $aspect}?",
    "Do both pictures have the same $aspect?",
    "Is the $aspect the same in the first and in the second picture?",
];
pub(crate) const TWO_SAME_YES: &[&str] =
    &["Yes, the $aspect is the same.", "Yes, both have the same $aspect."];
pub(crate) const TWO_SAME_NO: &[&str] =
    &["No, the $aspect is different.", "No, they differ in $aspect."];
pub(crate) const TWO_DIFFERS: &[&str] = &[
    "{What|Which thing} differs between the two pictures: the weather, the season, the time of day or a colour?",
    "{One thing|Something} changed from the first to the second picture. Is it the weather, the season, the time of day or a colour?",
    "What is different in the second picture: weather, season, time of day or a colour?",
];
pub(crate) const TWO_DIFFERS_SAY: &[&str] =
    &["The $answer {is different|differs|has changed}.", "It is the $answer."];

/// Questions about what is absent, and how they are refused.
pub(crate) const ABSENT: &[&str] = &[
    "{What|Which} colour is the $one?",
    "Where is the $one?",
    "Is the $one on the left or on the right?",
    "{Describe|Tell me about} the $one{| in this picture}.",
    "How large is the $one?",
    "What is the $one doing?",
    "Is the $one near or far?",
    "{Why is the $one here|What do you think of the $one}?",
];
pub(crate) const REFUSE: &[&str] = &[
    "There is no $one in this picture.",
    "{I do not see a|I see no|I cannot see any} $one in {this|the} picture.",
    "{This|The} picture shows no $one.",
    "{Sorry, there|There} is no $one{ here| to be seen}.",
];
pub(crate) const ABSENT_SIGN: &[&str] = &[
    "What does the sign say?",
    "What is written on the sign?",
    "Read the sign, please.",
    "Which word is on the sign?",
];

/// Chinese, by type in the order of the module's English ones.
pub(crate) const CHINESE: &[(&str, &[&str], &[&str])] = &[
    (
        "existence",
        &["图中有$name吗？", "{你|}能看到$name吗？", "画面里有没有$name？"],
        &["图中有$things。", "有，图中有$things。"],
    ),
    ("absent", &[], &["图中没有$name。", "没有，图中没有$name。"]),
    ("colour", &["$name是什么颜色的？", "图中的$name是什么颜色？"], &["$name是$answer的。"]),
    (
        "people",
        &["$name穿什么颜色的衣服？", "图中的$name的衣服是什么颜色？"],
        &["$name穿的是$answer的衣服。"],
    ),
    (
        "count",
        &["图中有几$measure$name？", "有多少$measure$name？", "{请|}数一数有几$measure$name？"],
        &["图中有$answer$measure$name。", "一共有$answer$measure$name。"],
    ),
    (
        "position",
        &["$name在左边、中间还是右边？", "$name在图的哪一边？左边、中间还是右边？"],
        &["$name在$answer。"],
    ),
    (
        "distance",
        &["$name在近处还是远处？", "$name离得近还是远？请回答近处或远处。"],
        &["$name在$answer。"],
    ),
    ("size", &["$name是大的还是小的？"], &["$name是$answer的。"]),
    (
        "weather",
        &["天气怎么样？", "图中是什么天气？", "{现在|图中}天气如何？"],
        &["天气是$answer。", "图中的天气是$answer。"],
    ),
    (
        "hour",
        &["图中是什么时候？早晨、白天、傍晚还是夜晚？", "现在是一天中的什么时候？"],
        &["现在是$answer。", "图中是$answer。"],
    ),
    ("season", &["图中是什么季节？", "这是哪个季节？"], &["现在是$answer。", "这是$answer。"]),
    (
        "place",
        &["这是什么地方？", "图中是哪里？", "我们在哪里？"],
        &["这是$answer。", "图中是$answer。"],
    ),
    ("sign", &["牌子上写着什么？", "{请|}读一下牌子上的字。"], &["牌子上写着\"$answer\"。"]),
];
/// How Chinese refuses.
pub(crate) const REFUSE_CHINESE: &[&str] =
    &["图中没有$name。", "我在图中没有看到$name。", "这张图片里没有$name。"];
pub(crate) const ABSENT_CHINESE: &[&str] = &[
    "$name是什么颜色的？",
    "$name在哪里？",
    "请描述一下$name。",
    "$name在左边还是右边？",
    "$name在做什么？",
];
/// Two pictures in Chinese.
pub(crate) const TWO_CHINESE_MORE: &[&str] = &["哪张图片里的$name更多，第一张还是第二张？"];
pub(crate) const TWO_CHINESE_WHICH: &[&str] = &["哪张图片里有$name，第一张还是第二张？"];
pub(crate) const TWO_CHINESE_SAME: &[&str] = &["两张图片的$aspect一样吗？"];
