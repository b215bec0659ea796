//! Recipes: what is read, what is refused and with which words, what comes back.

use ixc_train::{
    Recipe,
    data::{Share, Source},
    recipe::{KEYS, Kind, Precision, SchedulerType},
};

/// The least that a recipe says.
fn least(kind: &str) -> String {
    format!("kind = \"{kind}\"\nmodel = \"base\"\ndata = [\"a.json\"]\nout = \"out\"\n")
}

fn parse(text: &str) -> Result<Recipe, String> {
    Recipe::parse(text, "r.toml", &[]).map_err(|error| error.to_string())
}

fn with(kind: &str, lines: &str) -> Result<Recipe, String> {
    parse(&(least(kind) + lines))
}

fn set(kind: &str, pairs: &[(&str, &str)]) -> Result<Recipe, String> {
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    Recipe::parse(&least(kind), "r.toml", &pairs).map_err(|error| error.to_string())
}

#[test]
fn each_kind_sets_what_was_published() {
    // kind, rate, language model × , layer decay, [tower, projector, PLoRA, language model] frozen
    let published = [
        ("pretrain", 2e-4, 1.0, 0.9, [false, false, false, true]),
        ("sft", 5e-5, 0.2, 0.9, [false; 4]),
        ("full", 1e-5, 1.0, 1.0, [false; 4]),
        ("lora", 5e-5, 1.0, 1.0, [true; 4]),
        ("plora", 2e-4, 1.0, 1.0, [true, false, false, true]),
    ];
    for (kind, rate, language, decay, frozen) in published {
        let recipe = with(kind, "").unwrap();
        assert_eq!(recipe.kind.name(), kind);
        assert_eq!(
            (recipe.learning_rate, recipe.language_model_lr_scale, recipe.layer_decay),
            (rate, language, decay),
            "{kind}"
        );
        let found = [
            recipe.freeze_vision_tower,
            recipe.freeze_projector,
            recipe.freeze_plora,
            recipe.freeze_language_model,
        ];
        assert_eq!(found, frozen, "{kind}");
        assert_eq!((recipe.adam_beta1, recipe.adam_beta2), (0.9, 0.95));
        assert_eq!((recipe.weight_decay, recipe.warmup_ratio), (0.1, 0.01));
        assert_eq!(recipe.lr_scheduler_type, SchedulerType::Cosine);
        assert_eq!((recipe.max_grad_norm, recipe.max_length), (1.0, 4096));
        assert_eq!((recipe.gradient_accumulation_steps, recipe.precision), (8, Precision::Bf16));
    }
    let lora = with("lora", "").unwrap();
    assert_eq!((lora.lora_r, lora.lora_alpha, lora.lora_dropout), (64, 64.0, 0.05));
    assert_eq!(lora.lora_target_modules, ["wqkv", "wo", "w1", "w2", "w3"]);
}

#[test]
fn the_table_of_keys_is_the_recipe() {
    let mut with_all = Recipe::defaults(Kind::Lora);
    let source = Source { path: "a".into(), images: None, share: Share::All };
    (with_all.data, with_all.eval_data) = (vec![source.clone()], vec![source]);
    let table = toml::Table::try_from(&with_all).unwrap();
    let mut fields: Vec<&str> = table.keys().map(String::as_str).collect();
    let mut keys: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    fields.sort_unstable();
    keys.sort_unstable();
    assert_eq!(fields, keys);
    for key in KEYS {
        assert!(key.help.len() > 10 && !key.help.ends_with('.'), "{}", key.name);
    }
}

#[test]
fn the_document_lists_every_key_and_its_recipe_is_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/training.md");
    let document = std::fs::read_to_string(path).unwrap();
    for key in KEYS {
        let line = format!("| `{}` | {}", key.name, key.help);
        assert!(document.contains(&line), "docs/training.md: expected {line}");
    }
    let recipe = document.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(parse(recipe).unwrap().kind, Kind::Lora);
}

#[test]
fn a_key_of_a_file_and_a_flag_take_the_place_of_the_default() {
    let file = "learning_rate = 1\nprecision = \"f32\"\nfreeze_projector = true\n\
                data = [\"a.json\", { path = \"b.json\", ratio = 0.5 }]\n";
    let text = file.to_owned() + "kind = \"sft\"\nmodel = \"base\"\nout = \"out\"\n";
    let recipe = parse(&text).unwrap();
    assert_eq!((recipe.learning_rate, recipe.precision), (1.0, Precision::F32));
    assert!(recipe.freeze_projector);
    let half = Source { path: "b.json".into(), images: None, share: Share::Ratio(0.5) };
    assert_eq!(recipe.data[1], half);

    let flags = [
        ("learning-rate", "3e-4"),
        ("freeze_vision_tower", "true"),
        ("data", "x.json,y.json:samples=20,z.json:ratio=1.5"),
        ("max_steps", "7"),
        ("model", "other"),
    ];
    let recipe = set("pretrain", &flags).unwrap();
    assert_eq!((recipe.learning_rate, recipe.max_steps), (3e-4, 7));
    assert_eq!(recipe.model, "other");
    assert_eq!(recipe.data.len(), 3);
    assert_eq!((recipe.data[1].share, recipe.data[2].share), (Share::Count(20), Share::Ratio(1.5)));
    let targets = set("lora", &[("lora_target_modules", "wqkv, w2")]).unwrap();
    assert_eq!(targets.lora_target_modules, ["wqkv", "w2"]);
}

#[test]
fn what_is_printed_is_the_same_recipe() {
    for kind in Kind::ALL {
        for lines in [
            "",
            "learning_rate = 1.2345678901234567e-5\nseed = 9007199254740993\nepochs = 0.1\n",
            "max_steps = 10\nwarmup_steps = 3\n",
            "eval_data = [{ path = \"e.json\", samples = 5 }]\nearly_stopping_patience = 2\n",
            "eval_data = [{ path = \"e.json\", images = \"p\" }, \"f\"]\nlist_numbers = \"ratio\"\n",
        ] {
            let recipe = with(kind.name(), lines).unwrap();
            let printed = recipe.to_toml();
            assert_eq!(parse(&printed).unwrap(), recipe, "{printed}");
            assert_eq!(printed.contains("lora_r"), kind == Kind::Lora);
        }
    }
}

#[test]
fn an_unknown_key_is_an_error_with_the_nearest_known_one() {
    for (wrong, near) in [
        ("learing_rate = 1.0", "learning_rate"),
        ("warmup_ration = 0.1", "warmup_ratio"),
        ("num_train_epochs = 3", "epochs"),
        ("per_device_train_batch_size = 3", "batch_size"),
        ("lr = 1.0", "learning_rate"),
        ("bf16 = true", "precision"),
        ("freeze_llm = true", "freeze_language_model"),
        ("eval_step = 3", "eval_steps"),
    ] {
        let error = with("full", wrong).unwrap_err();
        let key = wrong.split(' ').next().unwrap();
        assert_eq!(
            error,
            format!("r.toml: \"{key}\" is not a key of a recipe; did you mean {near}?")
        );
    }
    let error = with("full", "deepspeed = \"zero2\"").unwrap_err();
    assert!(error.contains("expected one of ") && error.contains("accumulation"), "{error}");
    let error = set("full", &[("learing-rate", "1")]).unwrap_err();
    assert!(error.starts_with("--learing-rate: ") && error.contains("learning_rate"), "{error}");
}

#[test]
fn a_value_of_another_type_or_out_of_range_says_what_was_expected() {
    for (line, said) in [
        ("learning_rate = \"high\"", "learning_rate: expected a number, found \"high\""),
        ("learning_rate = 0.0", "learning_rate: expected a number above 0, found 0"),
        ("learning_rate = nan", "learning_rate: expected a number, found nan"),
        ("seed = -1", "seed: expected a whole number, 0 or more, found -1"),
        ("batch_size = 0", "batch_size: expected 1 or more, found 0"),
        ("batch_size = 1.5", "batch_size: expected a whole number"),
        ("epochs = 0", "epochs: expected a number above 0, found 0"),
        ("adam_beta2 = 1.0", "adam_beta2: expected 0 or more and below 1, found 1"),
        ("layer_decay = 0.0", "layer_decay: expected above 0 and up to 1, found 0"),
        ("precision = \"fp16\"", "precision: expected one of f32, bf16, found \"fp16\""),
        ("lr_scheduler_type = 3", "lr_scheduler_type: expected one of cosine, linear, constant"),
        ("packing = 1", "packing: expected true or false, found 1"),
        ("on_broken_sample = \"ignore\"", "on_broken_sample: expected one of error, skip"),
        ("save_total_limit = 0", "save_total_limit: expected 1 or more, found 0"),
        ("eval_data = 3", "eval_data: expected a list of paths"),
        ("eval_data = [{ path = \"a\", n = 3 }]", "eval_data: expected a list of paths"),
        ("eval_data = [{ path = \"a\", ratio = 0.0 }]", "a: expected a ratio above 0, found 0"),
        ("eval_data = [{ path = \"a\", samples = 0 }]", "a: expected samples of 1 or more"),
        (
            "eval_data = [{ path = \"a\", samples = 1, ratio = 1.0 }]",
            "expected samples or ratio, found both",
        ),
    ] {
        let error = with("sft", line).unwrap_err();
        assert!(error.starts_with("r.toml: ") && error.contains(said), "{line}: {error}");
    }
    let error = set("sft", &[("learning_rate", "fast")]).unwrap_err();
    assert_eq!(error, "--learning_rate: expected a number, found \"fast\"");
    let error = set("sft", &[("data", "a.json:samples=x")]).unwrap_err();
    assert_eq!(error, "--data: expected a number after :samples=, found \"x\"");
}

#[test]
fn a_recipe_names_its_kind_model_data_and_place() {
    for missing in ["kind", "model", "data", "out"] {
        let text: String = least("full")
            .lines()
            .filter(|line| !line.starts_with(missing))
            .map(|line| format!("{line}\n"))
            .collect();
        let error = parse(&text).unwrap_err();
        assert!(error.starts_with(&format!("r.toml: {missing} is missing; ")), "{error}");
    }
    let error = parse(&least("finetune")).unwrap_err();
    assert!(error.contains("pretrain, sft, full, lora, plora") && error.contains("\"finetune\""));
    let error = parse("kind = ").unwrap_err();
    assert!(error.contains("line 1"), "{error}");
}

#[test]
fn a_key_that_would_do_nothing_is_an_error() {
    for (kind, line, why) in [
        ("full", "lora_r = 8", "lora_r would do nothing: there is no LoRA"),
        ("plora", "lora_dropout = 0.0", "lora_dropout would do nothing"),
        ("pretrain", "language_model_lr_scale = 0.5", "the language model is frozen"),
        ("plora", "layer_decay = 0.9", "the vision tower is frozen"),
        ("full", "eval_steps = 3", "set eval_data"),
        ("full", "early_stopping_patience = 3", "set eval_data"),
        ("full", "epochs = 3\nmax_steps = 10", "max_steps decides the length"),
        ("full", "warmup_ratio = 0.1\nwarmup_steps = 10", "warmup_steps decides"),
    ] {
        let error = with(kind, line).unwrap_err();
        assert!(error.contains(why), "{line}: {error}");
    }
    let error = with("full", "packing = true").unwrap_err();
    assert!(error.contains("set max_steps"), "{error}");
    assert!(with("full", "packing = true\nmax_steps = 5").is_ok());
    let frozen = "freeze_plora = true\nfreeze_projector = true\n";
    let error = with("plora", frozen).unwrap_err();
    assert!(error.contains("trains nothing"), "{error}");
}

#[test]
fn lora_says_which_layers() {
    for (line, said) in [
        ("lora_target_modules = []", "expected at least one layer's name"),
        ("lora_target_modules = [\"w1\", \"w1\"]", "\"w1\" stands there twice"),
        ("lora_r = 0", "lora_r: expected 1 or more, found 0"),
        ("lora_alpha = 0", "lora_alpha: expected a number above 0, found 0"),
    ] {
        let error = with("lora", line).unwrap_err();
        assert!(error.contains(said), "{line}: {error}");
    }
}

#[test]
fn steps_of_a_run() {
    let recipe = with("full", "epochs = 2.5\nbatch_size = 2\n").unwrap(); // 16 samples a step
    assert_eq!(recipe.total_steps(64), 10);
    assert_eq!(recipe.total_steps(65), 11, "the last step is of fewer samples");
    assert_eq!((recipe.warmup(1_000), recipe.warmup(1_001), recipe.warmup(0)), (10, 11, 0));
    let recipe = with("full", "max_steps = 7\nwarmup_steps = 5\n").unwrap();
    assert_eq!((recipe.total_steps(1_000_000), recipe.warmup(7)), (7, 5));
}
