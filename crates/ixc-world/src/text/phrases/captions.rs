//! Captions and the requests for them.
//!
//! Slots: `$moment` "a foggy winter morning", `$at` "in the park", `$things` an enumeration, `$thing` and `$where`
//! one of them, `$is` and `$verb` in its number.

/// Requests for a short caption.
pub(crate) const ASK_SHORT: &[&str] = &[
    "{Describe|Caption} {this|the} {picture|image} {in one sentence|briefly|shortly}.",
    "{Give|Write} a {short |}caption{| for {this|the} {picture|image}}.",
    "What does {this|the} {picture|image} show? {Answer in one sentence|One sentence is enough}.",
    "{A short caption|A caption}, please.",
    "{Sum up|Summarise} the {picture|image} in one sentence.",
    "{What is this|What do you see}, {in short|in one sentence}?",
    "Caption {this|the} {picture|image}.",
];

/// Requests for a full description.
pub(crate) const ASK_DETAILED: &[&str] = &[
    "{|Please }describe {this|the} {picture|image|scene|photo}{| in detail| for me}.",
    "{|Please }describe {this|the} {picture|image}.",
    "{Can|Could} you{| please} describe {this|the} {picture|image|scene}{| for me}?",
    "{Describe|Tell me|Say} what {you see|you can see|is there|is in the picture|the picture shows}.",
    "{What|Tell me: what} {do|can} you see{| here| in {this|the} {picture|image}}?",
    "What {does {this|the} {picture|image} show|is shown{| here}|is to be seen{| here}}?",
    "{What is|What's} {in {this|the} {picture|image}|here|there|this{| a picture of}}?",
    "What is {happening|going on}{| here| in {this|the} {picture|image}}?",
    "{Tell|Tell|Show} me {everything|all} {that you see|you can see} in this picture.",
    "{Tell me about|Explain|Look at} {this|the} {picture|image|scene}.",
    "{Give|Write} {me |}a {detailed |full |careful |}description{| of {this|the} {picture|image}}.",
    "What is {to be seen|there} in {this|the} picture? {Be thorough|Describe it in detail|Tell me all of it}.",
    "{Look closely|Look at {this|the} {picture|image}} and describe it{| in detail}.",
    "{Describe|Please describe} it.",
];

/// Requests for a list.
pub(crate) const ASK_LIST: &[&str] = &[
    "List {what is|everything|the things} in {this|the} {picture|image}.",
    "{Make|Write|Give me} a list of {what {this|the} {picture|image} shows|everything in {this|the} {picture|image}}.",
    "Describe {this|the} {picture|image} as a list.",
    "{Give me|I need} the {facts|contents} of {this|the} {picture|image} as a list.",
];

/// Requests for something poetic.
pub(crate) const ASK_POETIC: &[&str] = &[
    "{Write|Give me} a poetic caption{| for {this|the} {picture|image}}.",
    "Describe {this|the} {picture|image} {like a poet|poetically|in a poetic way}.",
    "{Put|Turn} {this|the} {picture|image} into {poetic words|a little poem in prose}.",
    "{Write|Tell me} something poetic about {this|the} {picture|image}.",
    "Write a {little |short |}poem about {this|the} {picture|image}.",
];

/// Short captions.
pub(crate) const SHORT: &[&str] = &[
    "$things $at on $moment.",
    "$moment $at with $things.",
    "$at on $moment{: $things|, there $is $things}.",
    "{A picture of|This picture shows|Here we see|We see} $things $at on $moment.",
    "It is $moment $at, {and there $is|with} $things.",
];

/// How a full description begins.
pub(crate) const OPENING: &[&str] = &[
    "{The picture shows|The scene is} $moment $at.",
    "It is $moment $at.",
    "{Here|In this picture} it is $moment $at.",
    "We are $at on $moment.",
    "This is $the on $moment.",
];

/// One thing of a full description.
pub(crate) const THING: &[&str] = &[
    "$thing $verb $where.",
    "there $is $thing $where.",
    "$where there $is $thing.",
    "$where {we|you} {see|can see} $thing.",
    "$where $is $thing.",
];

/// Two things in one sentence.
pub(crate) const PAIR: &[&str] = &[
    "$thing $verb $where, and there $isb $thingb $whereb.",
    "there $is $thing $where and $thingb $whereb.",
    "{we|you} {see|can see} $thing $where and $thingb $whereb.",
    "$thing $verb $where, while $thingb $verbb $whereb.",
];

/// What a sign adds.
pub(crate) const SIGN: &[&str] =
    &["The sign says \"$word\".", "\"$word\" is written on the sign.", "The sign reads \"$word\"."];

/// How something poetic begins, by weather: clear, cloudy, rainy, snowy, foggy, stormy.
pub(crate) const MOOD: &[&[&str]] = &[
    &[
        "The $season $hour is clear, and the light {lies|rests} softly $at.",
        "How clear the $season $hour is $at!",
        "Clear and {wide|still} is the $season $hour $at.",
    ],
    &[
        "Clouds {drift|wander} slowly over the $season $hour $at.",
        "The $season $hour $at wears a {coat|scarf} of clouds.",
        "Soft clouds {cover|guard} the $season $hour $at.",
    ],
    &[
        "Rain {sings|whispers} through the $season $hour $at.",
        "The rain {taps|falls} gently on a $season $hour $at.",
        "A rainy $season $hour {hums|murmurs} its song $at.",
    ],
    &[
        "Snowflakes {dance|drift} through the $season $hour $at.",
        "Softly it is snowing on a $season $hour $at.",
        "A snowy $season $hour {holds its breath|grows quiet} $at.",
    ],
    &[
        "Fog {wraps|hides} the $season $hour $at like a {veil|blanket}.",
        "A foggy $season $hour {dreams|sleeps} $at.",
        "Mist {creeps|glides} through the $season $hour $at.",
    ],
    &[
        "Thunder {rolls|rumbles} over the $season $hour $at.",
        "Lightning {wakes|startles} the $season $hour $at.",
        "A storm {shakes|sweeps} the $season $hour $at.",
    ],
];

/// One thing of something poetic.
pub(crate) const POETIC: &[&str] = &[
    "$thing $verb $where, {as if time stood still|as in a dream|quiet and content}.",
    "$where, {silent|patient|dreaming}, $verb $thing.",
    "And there $is $thing, {at home in the world|lost in thought|part of the {silence|song}}.",
    "$where $verb $thing, {and nobody asks why|without a word|and all is well}.",
];

/// How something poetic ends.
pub(crate) const ENDING: &[&str] = &[
    "{Nothing|No one} is in a hurry.",
    "The world {takes a breath|listens|is at peace}.",
    "It could stay like this forever.",
    "What a moment to remember!",
    "",
    "",
];

/// Chinese requests: short, detailed, list, poetic.
pub(crate) const ASK_CHINESE: [&[&str]; 4] = [
    &[
        "{请|}用一句话描述{这张|}图片。",
        "这张图片{显示了什么|上有什么}？请用一句话回答。",
        "给这张图{片|}写一个{简短的|}标题。",
        "{请|}简单描述{一下|}这张{图片|图}。",
    ],
    &[
        "{请|}{详细|}描述{一下|}{这张|}图片。",
        "{请|}{仔细看图，|}说说你看到了什么。",
        "{你|图中能}看到{了|}什么？",
        "{图中|图片里|这张图片里|图里}有{什么|些什么}？{|请详细说明。}",
        "{这是什么|图中在发生什么|这张图片显示了什么}？",
        "{请|}描述一下这个画面。",
    ],
    &["{请|}列出图中的内容。", "{请|}用列表描述这张图片。"],
    &["{请|}用诗意的语言描述这张图片。", "为这张图片写几句{优美|诗意}的话。"],
];

/// Chinese short captions.
pub(crate) const SHORT_CHINESE: &[&str] = &[
    "$moment，$place{里有|有}$things。",
    "这是$moment的$place，有$things。",
    "$place，$moment，有$things。",
];

/// How a Chinese description begins.
pub(crate) const OPENING_CHINESE: &[&str] =
    &["这是$moment的$place。", "{图中|画面中}是$moment的$place。", "$moment，我们在$place。"];

/// One thing of a Chinese description; `$where` may be empty.
pub(crate) const THING_CHINESE: &[&str] = &["$where有$thing。", "$where{可以看到|能看到}$thing。"];

/// Chinese moods, by weather.
pub(crate) const MOOD_CHINESE: &[&[&str]] = &[
    &["$season的$hour，天空晴朗，$place{很安静|洒满了光}。"],
    &["$season的$hour，天空多云，$place{很安静|静静的}。"],
    &["$season的$hour，正在下雨，$place{静静地听着雨声|很安静}。"],
    &["$season的$hour，正在下雪，$place{一片洁净|很安静}。"],
    &["$season的$hour，四周有雾，$place{像在梦里|若隐若现}。"],
    &["$season的$hour，雷暴来了，$place{在雷声中醒来|不再安静}。"],
];

/// Chinese endings.
pub(crate) const ENDING_CHINESE: &[&str] =
    &["时间好像停住了。", "世界{安静而美好|在轻轻呼吸}。", "这一刻让人难忘。", ""];

/// Questions about each patch of the picture behind them, in the order of [`crate::text::patches::Asked`].
pub(crate) const ASK_PATCHES: [&[&str]; 4] = [
    &[
        "What is where in this picture? {Describe it, too|Then describe it}: ",
        "{Name|Say} what each part of the picture shows, then {caption|describe} it{| shortly}: ",
        "{Look at|Go over} the picture piece by piece, then {sum it up|describe it in one sentence}: ",
    ],
    &[
        "Which colour is where in this picture? {Describe it, too|Then describe it}: ",
        "{Name|Say} the colour of {each thing|every thing}, part by part, then {caption|describe} the picture: ",
    ],
    &[
        "How many are there of {what each part of the picture shows|each thing}? {Describe it, too|Then describe it}: ",
        "{Count|Number} the things of each part of the picture, then {caption|describe} it{| shortly}: ",
    ],
    &[
        "Where are the things in this picture: left, middle or right? {Describe it, too|Then describe it}: ",
        "{Say|Tell} the side of {each thing|every thing}, then {caption|describe} the picture: ",
    ],
];

/// The same in Chinese.
pub(crate) const ASK_PATCHES_CHINESE: [&[&str]; 4] = [
    &["{图中各处是什么|说出图中每一块是什么}？{再|然后}用一句话描述："],
    &["{图中各处的东西是什么颜色|说出每一块的颜色}？{再|然后}用一句话描述："],
    &["{图中各处的东西有几个|数一数每一块的东西}？{再|然后}用一句话描述："],
    &["{图中的东西在左边、中间还是右边|说出每个东西的位置}？{再|然后}用一句话描述："],
];
