//! What a library holds, in figures.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Error, Library, vectors::Identity};

/// Figures of a library.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Pictures.
    pub pictures: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Pictures without a caption, which no search finds unless they have tags.
    pub without_caption: u64,
    /// Pictures that are marked as generated.
    pub generated: u64,
    /// Words that can be searched for.
    pub words: u64,
    /// Captions by who says so.
    pub captions: BTreeMap<String, u64>,
    /// Captions by language; `und` where it is not known.
    pub languages: BTreeMap<String, u64>,
    /// Pictures by licence; `unknown` without one.
    pub licences: BTreeMap<String, u64>,
    /// What is known of their meanings, where they were embedded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vectors: Option<Embeddings>,
}

/// Figures of a library's vectors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Embeddings {
    /// Whose they are.
    pub encoder: Identity,
    /// Pictures that have one, and are as they were then.
    pub pictures: u64,
    /// Vectors of the graph; 0 where all are compared.
    pub graph: u64,
}

impl Library {
    /// Counts.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn summary(&self) -> Result<Summary, Error> {
        let failed = self.failed("count the pictures");
        let number = |sql: &str| {
            let count: i64 = self.db.query_row(sql, [], |row| row.get(0)).map_err(&failed)?;
            Ok::<_, Error>(u64::try_from(count).unwrap_or(0))
        };
        let groups = |sql: &str| {
            let mut select = self.db.prepare(sql).map_err(&failed)?;
            let rows = select
                .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))
                .map_err(&failed)?;
            rows.collect::<Result<BTreeMap<String, u64>, _>>().map_err(&failed)
        };
        Ok(Summary {
            pictures: number("SELECT count(*) FROM picture")?,
            bytes: number("SELECT coalesce(sum(bytes), 0) FROM picture")?,
            without_caption: number(
                "SELECT count(*) FROM picture WHERE id NOT IN (SELECT picture FROM caption)",
            )?,
            generated: number("SELECT count(*) FROM picture WHERE generated IS NOT NULL")?,
            words: number("SELECT count(*) FROM word")?,
            captions: groups("SELECT origin, count(*) FROM caption GROUP BY origin")?,
            languages: groups(
                "SELECT coalesce(language, 'und') AS l, count(*) FROM caption GROUP BY l",
            )?,
            licences: groups(
                "SELECT coalesce(licence, 'unknown') AS l, count(*) FROM picture GROUP BY l",
            )?,
            vectors: match self.encoder()? {
                None => None,
                Some(encoder) => Some(Embeddings {
                    encoder,
                    pictures: number(
                        "SELECT count(*) FROM embedding e JOIN picture p
                            ON p.id = e.picture AND p.digest = e.digest",
                    )?,
                    graph: number("SELECT coalesce(sum(vectors), 0) FROM graph")?,
                }),
            },
        })
    }
}
