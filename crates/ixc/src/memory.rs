//! How long a context may be on this machine, and what is kept in memory beside the weights.
//!
//! Counted are the conversation's keys and values, the features of pictures seen, and what the model read of
//! earlier conversations. Invariants: it is said before anything is loaded, part by part; a context that
//! cannot fit is refused with both numbers; the other two never take more than half of what it leaves.
//! Memory is taken as a conversation grows, so a bound is what is stated.
//! Deliberately absent: the weights' memory (see `model`).

use ixc_engine::limits::{FEATURE_BYTES, PREFIX_BYTES};
use ixc_nn::cache::{CacheShape, KvType};

use crate::{exit::Failure, table::bytes};

/// Contexts chosen for want of memory are multiples of this.
const STEP: usize = 1024;

/// What is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holding {
    /// A position's keys and values.
    pub(crate) shape: CacheShape,
    /// Whether there are pictures' features to keep.
    pub(crate) sees: bool,
    /// Whether there may be several conversations, one after another.
    pub(crate) several: bool,
}

/// What was found out before loading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Positions, where the model's own limit is not what it is.
    pub(crate) context: Option<usize>,
    /// Bytes for features of pictures.
    pub(crate) feature_bytes: usize,
    /// Bytes for what was read of earlier conversations.
    pub(crate) prefix_bytes: usize,
    /// What a person may want to know.
    pub(crate) line: String,
    /// What may surprise.
    pub(crate) warning: Option<String>,
}

/// Decides on a context of `asked` positions, or else of the model's `limit` as far as memory goes.
pub(crate) fn plan(
    holding: &Holding,
    limit: usize,
    asked: Option<usize>,
    available: Option<u64>,
) -> Result<Plan, Failure> {
    let shape = &holding.shape;
    let wanted = asked.unwrap_or(limit);
    let Some(available) = available else {
        return Ok(planned(holding, wanted, asked, None, None));
    };
    if asked.is_none() && shape.bytes(limit) > available / 2 {
        let positions = fitting(shape, available / 2).max(STEP).min(limit);
        if shape.bytes(positions) <= available {
            let warning = format!(
                "the context is {positions} positions, not the model's {limit}: keys and values of all \
                 would take {} of the {} of memory available; --context N sets it{}",
                bytes(shape.bytes(limit)),
                bytes(available),
                narrower(shape)
            );
            return Ok(planned(
                holding,
                positions,
                Some(positions),
                Some(warning),
                Some(available),
            ));
        }
    } else if shape.bytes(wanted) <= available {
        return Ok(planned(holding, wanted, asked, None, Some(available)));
    }
    Err(refusal(shape, wanted, available))
}

/// A plan for so many positions, which fit.
fn planned(
    holding: &Holding,
    positions: usize,
    context: Option<usize>,
    warning: Option<String>,
    available: Option<u64>,
) -> Plan {
    let keys = holding.shape.bytes(positions);
    // The other half is for what a pass computes, and for the rest of the system.
    let room = available.map_or(usize::MAX, |available| {
        usize::try_from(available.saturating_sub(keys) / 2).unwrap_or(usize::MAX)
    });
    let feature_bytes = if holding.sees { FEATURE_BYTES.min(room) } else { 0 };
    let prefix_bytes = if holding.several { PREFIX_BYTES.min(room - feature_bytes) } else { 0 };
    let kind = holding.shape.kind.name();
    let mut line =
        format!("context {positions} positions: up to {} of keys and values ({kind})", bytes(keys));
    let stores = [(feature_bytes, "features of pictures"), (prefix_bytes, "earlier conversations")];
    for (size, name) in stores.into_iter().filter(|(size, _)| *size > 0) {
        line += &format!(", {} of {name}", bytes(size as u64));
    }
    let all = keys.saturating_add((feature_bytes + prefix_bytes) as u64);
    if let Some(available) = available {
        line += &format!("; together {} of the {} available", bytes(all), bytes(available));
    }
    Plan { context, feature_bytes, prefix_bytes, line, warning }
}

/// Why a context of so many positions cannot be, with both numbers and what helps.
fn refusal(shape: &CacheShape, wanted: usize, available: u64) -> Failure {
    let lower = match fitting(shape, available) {
        0 => String::new(),
        positions => format!("lower --context ({positions} would fit)"),
    };
    let remedies = [lower, narrower(shape).trim_start_matches(", ").into()];
    let remedies: Vec<String> = remedies.into_iter().filter(|remedy| !remedy.is_empty()).collect();
    let failure = Failure::mistake(format!(
        "a context of {wanted} positions needs {} for keys and values ({}), and {} of memory are available",
        bytes(shape.bytes(wanted)),
        shape.kind.name(),
        bytes(available)
    ));
    if remedies.is_empty() { failure } else { failure.with_hint(remedies.join(", or ")) }
}

/// Positions, a multiple of `STEP`, whose keys and values fit.
fn fitting(shape: &CacheShape, memory: u64) -> usize {
    let steps = memory / shape.bytes(STEP).max(1);
    usize::try_from(steps).unwrap_or(usize::MAX).saturating_mul(STEP)
}

/// What takes less for each position, if anything does.
fn narrower(shape: &CacheShape) -> &'static str {
    match shape.kind {
        KvType::Q8 => "",
        _ => ", --kv q8 takes less",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 128 KiB a position in f16; one conversation without pictures.
    fn holding(kind: KvType) -> Holding {
        let shape = CacheShape { layers: 32, kv_heads: 8, width: 128, kind };
        Holding { shape, sees: false, several: false }
    }

    const GIB: u64 = 1 << 30;
    const LIMIT: usize = 32_768;

    #[test]
    fn the_models_limit_where_memory_allows() {
        let found = plan(&holding(KvType::F16), LIMIT, None, Some(8 * GIB)).unwrap();
        let line = "context 32768 positions: up to 4.3 GB of keys and values (f16); together 4.3 GB of \
                    the 8.6 GB available";
        let expected = Plan {
            context: None,
            feature_bytes: 0,
            prefix_bytes: 0,
            line: line.into(),
            warning: None,
        };
        assert_eq!(found, expected);
        let unknown = plan(&holding(KvType::F32), LIMIT, None, None).unwrap();
        assert_eq!((unknown.context, unknown.warning), (None, None));
        assert!(!unknown.line.contains("available"), "{}", unknown.line);
    }

    #[test]
    fn less_where_it_would_take_more_than_half() {
        let found = plan(&holding(KvType::F16), LIMIT, None, Some(5 * GIB)).unwrap();
        assert_eq!(found.context, Some(20 * 1024));
        let warning = found.warning.unwrap();
        assert!(warning.contains("20480 positions, not the model's 32768"), "{warning}");
        assert!(warning.contains("4.3 GB of the 5.4 GB"), "{warning}");
        let little = plan(&holding(KvType::F16), LIMIT, None, Some(GIB / 5)).unwrap();
        assert_eq!(little.context, Some(1024));
        assert!(plan(&holding(KvType::F16), LIMIT, None, Some(GIB / 20)).is_err());
    }

    #[test]
    fn what_was_asked_is_taken_or_refused() {
        let asked = Some(8192);
        let found = plan(&holding(KvType::F16), LIMIT, asked, Some(GIB)).unwrap();
        assert_eq!((found.context, found.warning), (asked, None));
        let told = |kind, available| {
            let failure = plan(&holding(kind), LIMIT, asked, Some(available)).unwrap_err();
            format!("{failure:?}")
        };
        let text = told(KvType::F16, GIB / 2);
        assert!(
            text.contains("8192 positions needs 1.1 GB") && text.contains("536.9 MB"),
            "{text}"
        );
        assert!(text.contains("4096 would fit") && text.contains("--kv q8"), "{text}");
        assert!(!told(KvType::Q8, GIB / 4).contains("--kv"));
        let endless = plan(&holding(KvType::F16), LIMIT, Some(usize::MAX), Some(GIB));
        assert!(endless.is_err());
    }

    #[test]
    fn what_is_kept_beside_the_context_is_counted() {
        let both = Holding { sees: true, several: true, ..holding(KvType::F16) };
        let kept = |holding: &Holding, available| {
            let plan = plan(holding, LIMIT, Some(8192), available).unwrap();
            (plan.feature_bytes, plan.prefix_bytes, plan.line)
        };
        let (features, prefixes, line) = kept(&both, Some(8 * GIB));
        assert_eq!((features, prefixes), (FEATURE_BYTES, PREFIX_BYTES));
        let parts = "1.1 GB of keys and values (f16), 268.4 MB of features of pictures, 1.1 GB of earlier \
                     conversations; together 2.4 GB of the 8.6 GB available";
        assert!(line.contains(parts), "{line}");
        let (features, prefixes, line) = kept(&both, None);
        assert_eq!((features, prefixes), (FEATURE_BYTES, PREFIX_BYTES));
        assert!(line.ends_with("earlier conversations"), "{line}");
        // What cannot be used is neither held nor counted.
        let answer = Holding { several: false, ..both };
        let (features, prefixes, line) = kept(&answer, Some(8 * GIB));
        assert_eq!((features, prefixes), (FEATURE_BYTES, 0));
        assert!(!line.contains("earlier") && line.contains("together 1.3 GB"), "{line}");
        let blind = Holding { sees: false, ..both };
        let (features, prefixes, line) = kept(&blind, Some(8 * GIB));
        assert_eq!((features, prefixes), (0, PREFIX_BYTES));
        assert!(!line.contains("pictures") && line.contains("together 2.1 GB"), "{line}");
    }

    #[test]
    fn what_is_kept_beside_the_context_gives_way_to_it() {
        let both = Holding { sees: true, several: true, ..holding(KvType::F16) };
        let context = both.shape.bytes(8192);
        for (left, features, prefixes) in [
            (0, 0, 0),
            (1 << 20, 1 << 19, 0),
            (FEATURE_BYTES * 2, FEATURE_BYTES, 0),
            (GIB as usize, FEATURE_BYTES, (1 << 29) - FEATURE_BYTES),
            (3 * GIB as usize, FEATURE_BYTES, PREFIX_BYTES),
        ] {
            let available = context + left as u64;
            let plan = plan(&both, LIMIT, Some(8192), Some(available)).unwrap();
            assert_eq!((plan.feature_bytes, plan.prefix_bytes), (features, prefixes), "{left}");
            assert!(context + (features + prefixes) as u64 <= available);
        }
        assert!(plan(&both, LIMIT, Some(8192), Some(context - 1)).is_err());
    }
}
