//! Stories, letters and dialogues without pictures.
//!
//! Slots: `$name` and `$friend` people, `$at` a place, `$moment`, `$thing` and `$second` things in their indefinite
//! form, `$the` and `$thesecond` in their definite one, `$where`.

/// Names of people.
pub(crate) const NAMES: &[&str] = &[
    "Mia", "Tom", "Lena", "Paul", "Nora", "Ben", "Ida", "Max", "Ella", "Jan", "Lucy", "Finn",
    "Anna", "Leo", "Rosa", "Karl",
];

/// Requests for a story.
pub(crate) const ASK_STORY: &[&str] = &[
    "{Tell|Write} a {short |}story about $thing and $second.",
    "{Tell me|Write} a story{| that takes place} $at, with $thing.",
    "A story with $name, $thing and $second, please.",
    "{Invent|Make up} a {little|short} story: $name {finds|sees} $thing $at.",
];
/// How stories begin.
pub(crate) const BEGIN: &[&str] = &[
    "{Once upon a time|Long ago|One fine hour}, $name came {to a place that everybody loved|across $thing}.",
    "It was $moment, and $name was $at.",
    "$name {loved|liked} to be $at, most of all on $moment.",
    "On $moment, $name went for a walk and arrived $at.",
];
/// What happens.
pub(crate) const MIDDLE: &[&str] = &[
    "There $name {found|saw|met} $thing $where.",
    "\"Look, $thing!\" {cried|said|whispered} $name.",
    "Nobody knew {to whom $the belonged|where $the had come from}.",
    "$name {thought for a while|wondered what to do} and then called $friend.",
    "$friend {came at once|was not far} and brought $second.",
    "Together they {looked at $the|laughed about $the} for a long time.",
    "\"We should {paint|remember} this,\" {said|whispered} $friend.",
];
/// How stories end.
pub(crate) const END: &[&str] = &[
    "{Tired and happy|Full of joy|With a smile}, they went home.",
    "And from then on they came back {every week|again and again}.",
    "{Since then|Ever since}, $name and $friend have been good friends.",
    "\"What a {story|tale}!\" they said at home, and everyone wanted to hear it.",
    "In the end, $the {stayed|found its home} $at, and everybody was content.",
];

/// Requests for a dialogue.
pub(crate) const ASK_DIALOGUE: &[&str] = &[
    "Write a {short |}dialogue between $name and $friend $at.",
    "{What might|What could} $name and $friend say to each other $at?",
    "$name and $friend meet $at. Write what they say.",
];
/// Lines of a dialogue, in turns.
pub(crate) const LINES: &[&[&str]] = &[
    &[
        "$name: {Hello|Good to see you}, $friend! Have you seen $thing?",
        "$name: $friend, look! There is something $where.",
    ],
    &[
        "$friend: {Yes|Oh yes}, and $second as well.",
        "$friend: {Where|What}? Oh, $thing! And $second.",
    ],
    &["$name: {I like $the best|I like $thesecond more}.", "$name: What do you think of $the?"],
    &[
        "$friend: {So do I|Me too}. {Shall we stay a while|Let us come again}?",
        "$friend: {Wonderful|Very nice}, I must say. {Shall we sit down|Shall we go on}?",
    ],
    &["$name: {Gladly|With pleasure}!", "$name: {Of course|Why not}? We have time."],
];

/// Requests for a letter.
pub(crate) const ASK_LETTER: &[&str] = &[
    "Write a {short letter|postcard} from $name to $friend.",
    "$name is $at and writes {home|a postcard} to $friend. What does it say?",
];
pub(crate) const LETTER: &[&str] = &[
    "Dear $friend,\n{greetings|many greetings} from $theplace! It is $moment here. I {see|have seen} $thing and $second. {I wish you were here|You would like it}.\nYours, $name",
    "Dear $friend,\nI am $at, and it is $moment. {There is so much to see|You would not believe what I saw}: $thing, and also $second. {See you soon|I will tell you more at home}.\nYours, $name",
];

/// Requests for a text about a described scene.
pub(crate) const ASK_SCENE: &[&str] = &[
    "{Describe|Write about} $moment $at{| with $things}.",
    "{Write|Give me} {a description of|a few sentences about} $things $at on $moment.",
    "{Imagine|Picture} $moment $at. What is there? Use: $things.",
];

/// How a text is put before its questions.
pub(crate) const READ: &[&str] = &["{Read|Here is} a text: $text", "Text: $text", "$text"];

/// Chinese stories: request, then sentences. `$name`, `$place`, `$moment`, `$thing`, `$second`.
pub(crate) const STORY_CHINESE: (&[&str], &[&str]) = (
    &[
        "{请|}讲一个关于$thing的小故事。",
        "写一个发生在$place的短故事。",
        "请编一个故事，里面有$thing和$second。",
    ],
    &[
        "$moment，$name来到$place。$name看到了$thing，高兴极了。后来朋友也来了，还带来了$second。他们玩了很久，笑着回家了。",
        "$name喜欢$place。$moment，$name在那里发现了$thing。\"真好看！\"$name说。旁边还有$second。从此$name常常来这里。",
        "从前，$place住着$name。$moment，$name遇见了$thing和$second。大家成了好朋友，再也不分开。",
    ],
);
/// Names of people in Chinese stories.
pub(crate) const NAMES_CHINESE: &[&str] = &["小明", "小红", "小丽", "小华", "小芳", "小刚"];
