//! The loss on data that is not trained on.

use ixc_model::XComposer;

use super::{Event, Watch, begin, learned};
use crate::{
    Error, Recipe,
    data::{Dataset, Order, Position, Preparation, Reader},
    step::evaluate,
};

/// The mean loss of a learned position over a whole dataset, in the order of its files.
///
/// # Errors
/// When a sample is broken and that is fatal, or none is sound.
pub(super) fn loss(
    model: &XComposer,
    data: &Dataset,
    preparation: &Preparation,
    recipe: &Recipe,
    watch: &mut Watch,
) -> Result<f64, Error> {
    let options = begin::options(recipe, Order::AsStored, Some(1));
    let mut reader = Reader::new(data, preparation, options, Position::default())?;
    let (mut sum, mut words) = (0.0, 0);
    while let Some(batch) = reader.next_batch()? {
        for broken in reader.broken() {
            let _ = watch(Event::Broken(broken));
        }
        let (mean, count) = evaluate(model, &learned(&batch))?;
        sum += mean * count as f64;
        words += count;
    }
    Ok(sum / words.max(1) as f64)
}
