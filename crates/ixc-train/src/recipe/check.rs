//! What the keys of a recipe must be, each and together.
//!
//! [`Recipe::idle`] is the one place that knows which keys do nothing beside which others: such a key is an
//! error when it was said, and is left out when a recipe is printed. Deliberately absent: the model, which a
//! recipe only names.

use super::{Kind, Recipe};

impl Recipe {
    /// Why a key does nothing here, where it does not.
    pub(super) fn idle(&self, key: &str) -> Option<&'static str> {
        let lora = "there is no LoRA; set kind = \"lora\"";
        match key {
            "lora_r" | "lora_alpha" | "lora_dropout" | "lora_target_modules" => {
                (self.kind != Kind::Lora).then_some(lora)
            }
            "language_model_lr_scale" => {
                self.freeze_language_model.then_some("the language model is frozen")
            }
            "layer_decay" => self.freeze_vision_tower.then_some("the vision tower is frozen"),
            "eval_steps" | "early_stopping_patience" => self
                .eval_data
                .is_empty()
                .then_some("there is nothing to evaluate on; set eval_data"),
            "epochs" => (self.max_steps > 0).then_some("max_steps decides the length"),
            "warmup_ratio" => (self.warmup_steps > 0).then_some("warmup_steps decides the warm-up"),
            _ => None,
        }
    }

    /// Checks ranges and what keys mean together; `said` tells which keys were not left to their defaults.
    pub(super) fn check(&self, said: &dyn Fn(&str) -> bool) -> Result<(), String> {
        for (name, empty, what) in [
            ("model", self.model.is_empty(), "the checkpoint that training starts from"),
            ("data", self.data.is_empty(), "at least one data file"),
            ("out", self.out.as_os_str().is_empty(), "the folder of the result"),
        ] {
            if empty {
                return Err(format!("{name} is missing; it names {what}"));
            }
        }
        self.check_ranges()?;
        self.check_lora()?;
        let frozen = [
            self.freeze_vision_tower,
            self.freeze_projector,
            self.freeze_plora,
            self.freeze_language_model,
        ];
        if self.kind != Kind::Lora && frozen == [true; 4] {
            return Err(format!(
                "kind = \"{}\" with all four freeze_… keys true trains nothing; set one to false",
                self.kind
            ));
        }
        if self.packing && self.max_steps == 0 {
            return Err(
                "packing makes steps of as many samples as fit, so their number is not known before; set \
                 max_steps"
                    .into(),
            );
        }
        let idle = super::KEYS.iter().find_map(|key| {
            let reason =
                self.idle(key.name).filter(|_| said(key.name) && !self.is_off(key.name))?;
            Some(format!("{} would do nothing: {reason}", key.name))
        });
        idle.map_or(Ok(()), Err)
    }

    /// Whether a key has the value that means "none", which may stand anywhere.
    fn is_off(&self, key: &str) -> bool {
        match key {
            "early_stopping_patience" => self.early_stopping_patience == 0,
            _ => false,
        }
    }

    fn check_ranges(&self) -> Result<(), String> {
        let number = |name: &str, value: f64, expected: &str, ok: bool| match ok {
            true => Ok(()),
            false => Err(format!("{name}: expected {expected}, found {value}")),
        };
        let positive = |name, value: f64| number(name, value, "a number above 0", value > 0.0);
        let at_least_0 = |name, value: f64| number(name, value, "0 or more", value >= 0.0);
        let share = |name, value: f64| {
            number(name, value, "0 or more and below 1", (0.0..1.0).contains(&value))
        };
        let upto_1 = |name, value: f64| {
            number(name, value, "above 0 and up to 1", value > 0.0 && value <= 1.0)
        };
        positive("learning_rate", self.learning_rate)?;
        positive("adam_epsilon", self.adam_epsilon)?;
        positive("language_model_lr_scale", self.language_model_lr_scale)?;
        at_least_0("weight_decay", self.weight_decay)?;
        at_least_0("max_grad_norm", self.max_grad_norm)?;
        share("adam_beta1", self.adam_beta1)?;
        share("adam_beta2", self.adam_beta2)?;
        share("plora_dropout", self.plora_dropout)?;
        share("lora_dropout", self.lora_dropout)?;
        share("warmup_ratio", self.warmup_ratio)?;
        upto_1("layer_decay", self.layer_decay)?;
        if self.max_steps == 0 {
            positive("epochs", self.epochs)?;
        }
        for (name, value) in [
            ("batch_size", self.batch_size as u64),
            ("gradient_accumulation_steps", self.gradient_accumulation_steps as u64),
            ("max_length", self.max_length as u64),
            ("save_total_limit", self.save_total_limit as u64),
            ("eval_steps", self.eval_steps),
            ("logging_steps", self.logging_steps),
        ] {
            if value == 0 {
                return Err(format!("{name}: expected 1 or more, found 0"));
            }
        }
        Ok(())
    }

    fn check_lora(&self) -> Result<(), String> {
        if self.kind != Kind::Lora {
            return Ok(());
        }
        if self.lora_r == 0 {
            return Err("lora_r: expected 1 or more, found 0".into());
        }
        if self.lora_alpha <= 0.0 {
            return Err(format!(
                "lora_alpha: expected a number above 0, found {}",
                self.lora_alpha
            ));
        }
        if self.lora_target_modules.is_empty() {
            return Err(
                "lora_target_modules: expected at least one layer's name, found none".into()
            );
        }
        for (index, target) in self.lora_target_modules.iter().enumerate() {
            if self.lora_target_modules[..index].contains(target) {
                return Err(format!("lora_target_modules: {target:?} stands there twice"));
            }
        }
        Ok(())
    }
}
