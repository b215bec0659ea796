//! What a result changes of its base: whole tensors, and LoRA on some layers.

use std::borrow::Cow;

use ixc_model::adapter::Adapter;

use crate::{
    Error,
    checkpoint::Slot,
    recipe::Recipe,
    trainable::{is_lora, lora_names},
};

/// Where changes come from.
pub(super) enum Changes<'a> {
    /// A run: masters, and the scale of the LoRA among them.
    Trained { slots: &'a [Slot<'a>], scale: f64 },
    /// An adapter's files.
    Adapter(&'a Adapter),
}

/// scale · B · A on a layer.
pub(super) struct Delta<'a> {
    /// A, (rank, inputs).
    pub(super) a: Cow<'a, [f32]>,
    /// B, (outputs, rank).
    pub(super) b: Cow<'a, [f32]>,
    pub(super) rank: usize,
    pub(super) scale: f64,
}

impl<'a> Changes<'a> {
    pub(super) fn trained(recipe: &Recipe, slots: &'a [Slot<'a>]) -> Self {
        Self::Trained { slots, scale: recipe.lora_scale() }
    }

    /// Names of the base's tensors that change.
    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::Trained { slots, .. } => {
                let changed = |slot: &Slot| match slot.name.strip_suffix(".lora_A.weight") {
                    Some(linear) => Some(format!("{linear}.weight")),
                    None => (!is_lora(slot.name)).then(|| slot.name.to_owned()),
                };
                slots.iter().filter_map(changed).collect()
            }
            Self::Adapter(adapter) => {
                let layers = adapter.layers().keys().map(|linear| format!("{linear}.weight"));
                layers.chain(adapter.replaced().map(String::from)).collect()
            }
        }
    }

    /// The numbers that a tensor has instead of the base's.
    pub(super) fn whole(&self, name: &str) -> Result<Option<Cow<'a, [f32]>>, Error> {
        match self {
            Self::Trained { slots, .. } => {
                let slot = slots.iter().find(|slot| slot.name == name);
                Ok(slot.map(|slot| Cow::Borrowed(slot.master)))
            }
            Self::Adapter(adapter) => {
                if !adapter.replaced().any(|replaced| replaced == name) {
                    return Ok(None);
                }
                Ok(Some(Cow::Owned(adapter.whole(name)?)))
            }
        }
    }

    /// The shape that a tensor has instead of the base's.
    pub(super) fn shape(&self, name: &str) -> Option<&'a [usize]> {
        match self {
            Self::Trained { slots, .. } => {
                slots.iter().find(|slot| slot.name == name).map(|slot| slot.shape)
            }
            Self::Adapter(adapter) => adapter.whole_shape(name),
        }
    }

    /// What is added to a layer's weight.
    pub(super) fn delta(&self, name: &str) -> Result<Option<Delta<'a>>, Error> {
        let Some(linear) = name.strip_suffix(".weight") else { return Ok(None) };
        match self {
            Self::Trained { slots, scale } => {
                let find = |name: &String| slots.iter().find(|slot| slot.name == name);
                let [a, b] = lora_names(linear);
                let (Some(a), Some(b)) = (find(&a), find(&b)) else { return Ok(None) };
                let [a_numbers, b_numbers] = [a, b].map(|slot| Cow::Borrowed(slot.master));
                Ok(Some(Delta { a: a_numbers, b: b_numbers, rank: a.shape[0], scale: *scale }))
            }
            Self::Adapter(adapter) => {
                let Some(layer) = adapter.layers().get(linear) else { return Ok(None) };
                let [a, b] = adapter.lora(layer)?.map(Cow::Owned);
                Ok(Some(Delta { a, b, rank: layer.rank, scale: layer.scale }))
            }
        }
    }
}
