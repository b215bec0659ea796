"""Makes `serif.zip`: the packaged fonts, subsets of Noto Serif and Noto Serif CJK SC under names of their own.

    apt-get download fonts-noto-core fonts-noto-cjk    # unpack each: dpkg-deb -x FILE fonts
    pip install fonttools
    python make.py fonts/usr/share/fonts serif.zip

The hanzi are those of GB 2312 (simplified Chinese), of Big5's first level (traditional) and of JIS X 0208's
first level (Japanese), all in the forms of the People's Republic.
"""

import io
import sys
import zipfile
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTCollection, TTFont

LATIN = [
    (0x20, 0x24F), (0x2B0, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x1E00, 0x1EFF), (0x2000, 0x206F),
    (0x2070, 0x209F), (0x20A0, 0x20BF), (0x2100, 0x218F), (0x2200, 0x22FF), (0xFB00, 0xFB06), (0xFFFD, 0xFFFD),
]
SIMPLIFIED = 2  # the collection's third face
BOTH = "—‘’“”…·‥♪♡♥✓✦"  # more that Chinese type has in its own form, or that has no other home


def cells(encoding, first, second):
    """The characters of a table of two bytes."""
    pairs = (bytes([one, two]) for one in first for two in second)
    return set("".join(pair.decode(encoding, "ignore") for pair in pairs))


def gb2312(first, last):
    return cells("gb2312", range(0xA0 + first, 0xA1 + last), range(0xA1, 0xFF))


def hanzi():
    trail = [*range(0x40, 0x7F), *range(0xA1, 0xFF)]
    big5 = cells("big5", range(0xA4, 0xC7), trail)
    jis = cells("euc_jp", range(0xB0, 0xD0), range(0xA1, 0xFF))
    return {character for character in gb2312(16, 87) | big5 | jis if 0x4E00 <= ord(character) <= 0x9FFF}


def small(font, characters, features, name):
    options = subset.Options()
    options.hinting = False
    options.desubroutinize = True  # smaller once it is compressed
    options.layout_features = features
    options.notdef_outline = True
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.name_languages = [0x409]
    options.drop_tables += ["vhea", "vmtx", "VORG", "BASE", "DSIG", "GDEF"] if "CFF " in font else ["DSIG"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=map(ord, characters))
    subsetter.subset(font)
    family, style = name
    plain = f"{family.replace(' ', '')}-{style}"
    for number, text in [(1, family), (2, style), (3, plain), (4, f"{family} {style}"), (6, plain)]:
        font["name"].setName(text, number, 3, 1, 0x409)
    if "CFF " in font:
        cff = font["CFF "].cff
        cff.fontNames = [plain]
        top = cff.topDictIndex[0]
        top.FamilyName, top.FullName = family, f"{family} {style}"
    font.recalcTimestamp = False
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()


def main(folder, to):
    latin = {chr(code) for first, last in LATIN for code in range(first, last + 1)}
    marks = (gb2312(1, 5) | gb2312(8, 9)) | set(BOTH)
    western = ["kern", "liga", "mark", "mkmk", "ccmp", "locl"]
    files = {}
    for style in ["Regular", "Bold"]:
        font = TTFont(folder / f"truetype/noto/NotoSerif-{style}.ttf")
        files[f"{style.lower()}.ttf"] = small(font, latin, western, ("Ixc Serif", style))
    font = TTCollection(folder / "opentype/noto/NotoSerifCJK-Regular.ttc").fonts[SIMPLIFIED]
    wide = {character for character in marks | hanzi() if character in BOTH or ord(character) not in LATIN_ONLY}
    files["hanzi.otf"] = small(font, wide, ["ccmp"], ("Ixc Serif SC", "Regular"))
    # Who has only the program has the licence too.
    files["OFL.txt"] = Path(__file__).with_name("OFL.txt").read_bytes()
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED, 9)
            print(name, len(data))


# What is Latin type in Chinese text too.
LATIN_ONLY = {code for first, last in [(0x20, 0x24F), (0x370, 0x52F)] for code in range(first, last + 1)}

if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
