//! What every stage was given and gave: plain data, from which any stage can be made again.
//!
//! Invariant: a stage is a function of the request, the stages before it, the model and the pictures; so a record
//! whose later stages are cut out goes on as it would have. Deliberately absent: pixels.

use ixc_library::About;
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    chat::{Cost, Ended},
    odd::Odd,
    request::Request,
    source::{Found, is_digest},
};

/// The form of records; another one is refused.
pub const FORM: &str = "ixc-compose/1";

/// A stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The text.
    Article,
    /// Where pictures go.
    Places,
    /// What they should show.
    Captions,
    /// What is found for each.
    Candidates,
    /// What is taken.
    Choices,
}

impl Stage {
    /// All, in their order.
    pub const ALL: [Self; 5] =
        [Self::Article, Self::Places, Self::Captions, Self::Candidates, Self::Choices];

    /// Its name, as in a record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Article => "article",
            Self::Places => "places",
            Self::Captions => "captions",
            Self::Candidates => "candidates",
            Self::Choices => "choices",
        }
    }
}

/// A question and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The user's turn, with `<ImageHere>` for each picture.
    pub turn: String,
    /// How the answer begins.
    pub prefix: String,
    /// How it goes on.
    pub answer: String,
    /// Why it ended.
    pub ended: Ended,
    /// What it cost.
    pub cost: Cost,
}

/// The text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The instruction and the text as written.
    pub asked: Exchange,
    /// Its lines.
    pub sections: Vec<String>,
    /// What was odd.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub odd: Vec<Odd>,
}

/// Where pictures go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    /// The question and its answer; none where nothing was to be asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asked: Option<Exchange>,
    /// Sections that are followed by a picture, rising.
    pub places: Vec<usize>,
    /// What was odd.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub odd: Vec<Odd>,
}

/// What the picture of a place should show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caption {
    /// The section before it.
    pub place: usize,
    /// The question and its answer; none when it was refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asked: Option<Exchange>,
    /// The caption; may be empty.
    pub caption: String,
    /// What was odd.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub odd: Vec<Odd>,
}

/// What a place can have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidates {
    /// The section before it.
    pub place: usize,
    /// What was searched for.
    pub query: String,
    /// What was found, the best first.
    pub found: Vec<Found>,
    /// What was odd.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub odd: Vec<Odd>,
}

/// What a place gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The section before it.
    pub place: usize,
    /// The question and its answer; none where there was nothing to choose.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asked: Option<Exchange>,
    /// What was shown, in the order of the letters.
    pub shown: Vec<Found>,
    /// Which of them is taken; none leaves the place open.
    pub taken: Option<usize>,
    /// What stands below the picture; may be empty.
    pub caption: String,
    /// What was odd.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub odd: Vec<Odd>,
}

/// A request with what was made of it so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Composition {
    /// [`FORM`].
    pub form: String,
    /// What was asked for.
    pub request: Request,
    /// The text.
    #[serde(default)]
    pub article: Option<Draft>,
    /// Where pictures go.
    #[serde(default)]
    pub places: Option<Places>,
    /// What the pictures of a library should show.
    #[serde(default)]
    pub captions: Option<Vec<Caption>>,
    /// What libraries and services have for each caption.
    #[serde(default)]
    pub candidates: Option<Vec<Candidates>>,
    /// What each place gets.
    #[serde(default)]
    pub choices: Option<Vec<Choice>>,
}

impl Composition {
    /// Nothing made yet.
    pub fn new(request: Request) -> Self {
        Self {
            form: FORM.into(),
            request,
            article: None,
            places: None,
            captions: None,
            candidates: None,
            choices: None,
        }
    }

    /// A record as it was written.
    ///
    /// # Errors
    /// When it is not one, or has a stage without the one before it, or names a section that is not there.
    pub fn read(json: &[u8]) -> Result<Self, Error> {
        let bad = |what: String| Error::Record { what };
        let read: Self =
            serde_json::from_slice(json).map_err(|error| bad(format!("not a record: {error}")))?;
        if read.form != FORM {
            return Err(bad(format!("expected the form {FORM}, found {:?}", read.form)));
        }
        read.request.check()?;
        let made = Stage::ALL.map(|stage| read.has(stage));
        for (at, stage) in Stage::ALL.iter().enumerate().skip(1) {
            if made[at] && !made[at - 1] {
                let before = Stage::ALL[at - 1].name();
                return Err(bad(format!("there are {} and no {before}", stage.name())));
            }
        }
        let sections = read.article.as_ref().map_or(0, |article| article.sections.len());
        let named = read.places.iter().flat_map(|places| places.places.iter().copied());
        let named = named.chain(read.captions.iter().flatten().map(|caption| caption.place));
        let named = named.chain(read.candidates.iter().flatten().map(|found| found.place));
        let mut named = named.chain(read.choices.iter().flatten().map(|choice| choice.place));
        if let Some(place) = named.find(|place| *place >= sections) {
            return Err(bad(format!("section {place} is named, of {sections}")));
        }
        if let Some(name) = read.kept().find(|name| !is_digest(name)) {
            return Err(bad(format!("{name:?} is named as a picture's SHA-256")));
        }
        let short = |choice: &&Choice| choice.taken.is_some_and(|at| at >= choice.shown.len());
        match read.choices.iter().flatten().find(short) {
            Some(choice) => {
                Err(bad(format!("section {} takes a picture that is not shown", choice.place)))
            }
            None => Ok(read),
        }
    }

    /// Whether a stage is made.
    pub fn has(&self, stage: Stage) -> bool {
        match stage {
            Stage::Article => self.article.is_some(),
            Stage::Places => self.places.is_some(),
            Stage::Captions => self.captions.is_some(),
            Stage::Candidates => self.candidates.is_some(),
            Stage::Choices => self.choices.is_some(),
        }
    }

    /// Takes a stage and those behind it out, to be made again.
    pub fn cut(&mut self, from: Stage) {
        for stage in Stage::ALL.into_iter().filter(|stage| *stage >= from) {
            match stage {
                Stage::Article => self.article = None,
                Stage::Places => self.places = None,
                Stage::Captions => self.captions = None,
                Stage::Candidates => self.candidates = None,
                Stage::Choices => self.choices = None,
            }
        }
    }

    /// The article's lines; none before it is written.
    pub fn sections(&self) -> &[String] {
        self.article.as_ref().map_or(&[], |article| &article.sections)
    }

    /// Pictures that services made for its places: each file's digest, and what a library is told of it.
    pub fn made(&self) -> impl Iterator<Item = (&str, About)> {
        let found = self.candidates.iter().flatten().flat_map(|stage| &stage.found);
        found.filter_map(|found| found.origin.made(&found.caption))
    }

    /// The digests of pictures that services gave, as they are named; some perhaps more than once.
    pub fn kept(&self) -> impl Iterator<Item = &str> {
        let found = self.candidates.iter().flatten().flat_map(|stage| &stage.found);
        let shown = self.choices.iter().flatten().flat_map(|stage| &stage.shown);
        found.chain(shown).filter_map(|found| found.origin.kept())
    }

    /// Everything odd, in the order of the stages.
    pub fn odd(&self) -> impl Iterator<Item = &Odd> {
        let article = self.article.iter().flat_map(|stage| &stage.odd);
        let places = self.places.iter().flat_map(|stage| &stage.odd);
        let captions = self.captions.iter().flatten().flat_map(|stage| &stage.odd);
        let candidates = self.candidates.iter().flatten().flat_map(|stage| &stage.odd);
        let choices = self.choices.iter().flatten().flat_map(|stage| &stage.odd);
        article.chain(places).chain(captions).chain(candidates).chain(choices)
    }

    /// What all questions cost together.
    pub fn cost(&self) -> Cost {
        let article = self.article.iter().map(|stage| &stage.asked);
        let places = self.places.iter().filter_map(|stage| stage.asked.as_ref());
        let captions = self.captions.iter().flatten().filter_map(|stage| stage.asked.as_ref());
        let choices = self.choices.iter().flatten().filter_map(|stage| stage.asked.as_ref());
        let all = article.chain(places).chain(captions).chain(choices);
        all.fold(Cost::default(), |sum, asked| Cost {
            positions: sum.positions + asked.cost.positions,
            reused: sum.reused + asked.cost.reused,
        })
    }
}
