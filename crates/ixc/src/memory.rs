//! How long a context may be on this machine, and what its keys and values take.
//!
//! Invariant: it is said before anything is loaded, and a context that cannot fit is refused with both
//! numbers. Memory is taken as a conversation grows, so a bound is what is stated.
//! Deliberately absent: the weights' memory (see `model`).

use ixc_nn::cache::{CacheShape, KvType};

use crate::{exit::Failure, table::bytes};

/// Contexts chosen for want of memory are multiples of this.
const STEP: usize = 1024;

/// What was found out before loading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Positions, where the model's own limit is not what it is.
    pub(crate) context: Option<usize>,
    /// What a person may want to know.
    pub(crate) line: String,
    /// What may surprise.
    pub(crate) warning: Option<String>,
}

/// Decides on a context of `asked` positions, or else of the model's `limit` as far as memory goes.
pub(crate) fn plan(
    shape: &CacheShape,
    limit: usize,
    asked: Option<usize>,
    available: Option<u64>,
) -> Result<Plan, Failure> {
    let wanted = asked.unwrap_or(limit);
    let plan = |positions: usize, context, warning| {
        let (needed, kind) = (bytes(shape.bytes(positions)), shape.kind.name());
        let line =
            format!("context {positions} positions: up to {needed} of keys and values ({kind})");
        Ok(Plan { context, line, warning })
    };
    let Some(available) = available else { return plan(wanted, asked, None) };
    let fits = |share: u64| fitting(shape, share);
    if asked.is_none() && shape.bytes(limit) > available / 2 {
        let positions = fits(available / 2).max(STEP).min(limit);
        if shape.bytes(positions) <= available {
            let warning = format!(
                "the context is {positions} positions, not the model's {limit}: keys and values of all \
                 would take {} of the {} of memory available; --context N sets it{}",
                bytes(shape.bytes(limit)),
                bytes(available),
                narrower(shape)
            );
            return plan(positions, Some(positions), Some(warning));
        }
    } else if shape.bytes(wanted) <= available {
        return plan(wanted, asked, None);
    }
    let lower = match fits(available) {
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
    Err(if remedies.is_empty() { failure } else { failure.with_hint(remedies.join(", or ")) })
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

    /// 128 KiB a position in f16.
    fn shape(kind: KvType) -> CacheShape {
        CacheShape { layers: 32, kv_heads: 8, width: 128, kind }
    }

    const GIB: u64 = 1 << 30;

    #[test]
    fn the_models_limit_where_memory_allows() {
        let found = plan(&shape(KvType::F16), 32_768, None, Some(8 * GIB)).unwrap();
        let line = "context 32768 positions: up to 4.3 GB of keys and values (f16)";
        assert_eq!(found, Plan { context: None, line: line.into(), warning: None });
        let unknown = plan(&shape(KvType::F32), 32_768, None, None).unwrap();
        assert_eq!((unknown.context, unknown.warning), (None, None));
    }

    #[test]
    fn less_where_it_would_take_more_than_half() {
        let found = plan(&shape(KvType::F16), 32_768, None, Some(5 * GIB)).unwrap();
        assert_eq!(found.context, Some(20 * 1024));
        let warning = found.warning.unwrap();
        assert!(warning.contains("20480 positions, not the model's 32768"), "{warning}");
        assert!(warning.contains("4.3 GB of the 5.4 GB"), "{warning}");
        let little = plan(&shape(KvType::F16), 32_768, None, Some(GIB / 5)).unwrap();
        assert_eq!(little.context, Some(1024));
        assert!(plan(&shape(KvType::F16), 32_768, None, Some(GIB / 20)).is_err());
    }

    #[test]
    fn what_was_asked_is_taken_or_refused() {
        let asked = Some(8192);
        let found = plan(&shape(KvType::F16), 32_768, asked, Some(GIB)).unwrap();
        assert_eq!((found.context, found.warning), (asked, None));
        let told = |kind, available| {
            let failure = plan(&shape(kind), 32_768, asked, Some(available)).unwrap_err();
            format!("{failure:?}")
        };
        let text = told(KvType::F16, GIB / 2);
        assert!(
            text.contains("8192 positions needs 1.1 GB") && text.contains("536.9 MB"),
            "{text}"
        );
        assert!(text.contains("4096 would fit") && text.contains("--kv q8"), "{text}");
        assert!(!told(KvType::Q8, GIB / 4).contains("--kv"));
        let endless = plan(&shape(KvType::F16), 32_768, Some(usize::MAX), Some(GIB));
        assert!(endless.is_err());
    }
}
