"""Makes fixtures/tiny-clip and fixtures/tiny-siglip: random encoders of the published form, and what transformers
computes with them on a CPU in float32. Made with torch 2.15.0 and transformers 5.24.0, sentencepiece 0.2.1:

    python3 crates/ixc-embed/tests/reference.py
"""

import json
import os
import sys
import tempfile

import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

FIXTURES = os.path.join(os.path.dirname(__file__), "../../../fixtures")
PICTURES = ["rgb_0_640x427.png", "rgb_3_33x500.png", "rgb_9_337x336.png", "rgb_6_1x1.png", "gray.png"]
TEXTS = [
    "a photo of a cat",
    "Two horses in the SNOW, beside a red barn!",
    "  spaces\tand\nlines   are one  ",
    "café, naïve; it's the dog's 12th ball",
    "雪山下的湖 and 🐎",
    "",
    "<|endoftext|> is no marker here </s>",
    "a boat " * 100,
]


def write(folder, name, value):
    with open(os.path.join(folder, name), "w") as out:
        json.dump(value, out, indent=1, ensure_ascii=False)


def randomise(model):
    """Weights large enough that no part of the way leaves the features as they were."""
    torch.manual_seed(7)
    for name, tensor in model.named_parameters():
        torch.nn.init.normal_(tensor, std=0.3 if tensor.dim() > 1 else 0.1)
        if "norm" in name and name.endswith("weight"):
            tensor.data += 1.0


def record(folder, model, pictures, ids):
    model.eval()
    expected = {}
    with torch.no_grad():
        for number, row in enumerate(ids):
            text = model.get_text_features(input_ids=torch.tensor([row]))
            expected[f"text.{number}"] = getattr(text, "pooler_output", text)[0]
        for number, pixels in enumerate(pictures):
            image = model.get_image_features(pixel_values=pixels)
            expected[f"picture.{number}"] = getattr(image, "pooler_output", image)[0]
            expected[f"pixels.{number}"] = pixels[0]
    expected = {name: tensor.contiguous().clone() for name, tensor in expected.items()}
    save_file(expected, os.path.join(folder, "expected.safetensors"))
    write(folder, "expected.json", {"texts": TEXTS, "ids": ids, "pictures": PICTURES})
    save_file({k: v.contiguous() for k, v in model.state_dict().items() if "position_ids" not in k},
              os.path.join(folder, "model.safetensors"))


def opened():
    return [Image.open(os.path.join(FIXTURES, "images", name)).convert("RGB") for name in PICTURES]


def clip():
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    folder = os.path.join(FIXTURES, "tiny-clip")
    os.makedirs(folder, exist_ok=True)
    trained = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    trained.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    trained.pre_tokenizer = CLIPTokenizer()._tokenizer.pre_tokenizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=620, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False)
    trained.train_from_iterator(TEXTS * 3, trainer)
    learned = json.loads(trained.to_str())["model"]
    vocab = {}
    # As published: bytes, bytes at a word's end, merges, markers.
    for piece in sorted(alphabet) + [byte + "</w>" for byte in sorted(alphabet)] + ["".join(m) for m in learned["merges"]]:
        vocab.setdefault(piece, len(vocab))
    for marker in ["<|startoftext|>", "<|endoftext|>"]:
        vocab[marker] = len(vocab)
    merges = [tuple(merge) for merge in learned["merges"]]
    tokenizer = CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=24)
    tokenizer.save_pretrained(folder)
    # The older form of the same.
    write(folder, "vocab.json", vocab)
    with open(os.path.join(folder, "merges.txt"), "w") as out:
        out.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    eos = vocab["<|endoftext|>"]
    config = CLIPConfig(
        text_config=dict(vocab_size=len(vocab), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
                         max_position_embeddings=24, bos_token_id=vocab["<|startoftext|>"], eos_token_id=eos, pad_token_id=eos),
        vision_config=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8),
        projection_dim=24,
    )
    model = CLIPModel(config)
    randomise(model)
    config.save_pretrained(folder)
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor.save_pretrained(folder)
    # A typed marker is text here, which transformers' own call does not offer: split_special_tokens says so.
    ids = tokenizer(TEXTS, truncation=True, max_length=24, split_special_tokens=True)["input_ids"]
    pictures = [processor(picture, return_tensors="pt")["pixel_values"] for picture in opened()]
    record(folder, model, pictures, ids)


def siglip():
    import sentencepiece
    from transformers import SiglipConfig, SiglipModel, SiglipTokenizer
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    folder = os.path.join(FIXTURES, "tiny-siglip")
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        prefix = os.path.join(scratch, "spiece")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([text.lower() for text in TEXTS if text] * 50), model_prefix=prefix, vocab_size=120, model_type="unigram",
            pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False, normalization_rule_name="identity", character_coverage=0.98)
        slow = SiglipTokenizer(vocab_file=prefix + ".model", pad_token="</s>", model_max_length=16)
        spm = sentencepiece.SentencePieceProcessor(model_file=prefix + ".model")
    # As transformers' converter for sentencepiece writes tokenizer.json.
    vocab = [(spm.id_to_piece(i), spm.get_score(i)) for i in range(spm.get_piece_size())]
    fast = Tokenizer(models.Unigram(vocab, unk_id=2, byte_fallback=False))
    # Without the published map of NFKC, which would take 300 KB here.
    fast.normalizer = normalizers.Replace(Regex(" {2,}"), " ")
    fast.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    fast.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    fast.add_special_tokens(["</s>", "<unk>"])
    fast.save(os.path.join(folder, "tokenizer.json"))
    write(folder, "tokenizer_config.json", {"tokenizer_class": "SiglipTokenizer", "pad_token": "</s>", "eos_token": "</s>",
                                            "unk_token": "<unk>", "do_lower_case": True, "model_max_length": 16})
    config = SiglipConfig(
        text_config=dict(vocab_size=len(vocab), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
                         max_position_embeddings=16, pad_token_id=1, eos_token_id=1, bos_token_id=0),
        vision_config=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8),
    )
    model = SiglipModel(config)
    randomise(model)
    config.save_pretrained(folder)
    processor = SiglipImageProcessorPil(size={"height": 32, "width": 32})
    processor.save_pretrained(folder)
    # Blanks at the beginning come through as a token of their own in transformers, which those who trained it strip.
    texts = [text.replace("</s>", "s").strip() for text in TEXTS]
    ids = slow(texts, padding="max_length", truncation=True, max_length=16)["input_ids"]
    pictures = [processor(picture, return_tensors="pt")["pixel_values"] for picture in opened()]
    record(folder, model, pictures, ids)


if __name__ == "__main__":
    for make in [clip, siglip]:
        if len(sys.argv) < 2 or make.__name__ in sys.argv[1:]:
            make()
