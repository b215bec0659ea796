//! A picture in a DOCX document, at its real size.
//!
//! Deliberately absent: text that flows around pictures, and cropping.

use crate::{album::Asset, article::Figure, markup::escaped};

/// English Metric Units: 914 400 an inch. A pixel is 1/96 of one, as on the web.
const UNITS_A_PIXEL: u64 = 914_400 / 96;
/// The text is as wide as A4 without 25 mm on either side (9072 twentieths of a point), a picture at most as high as
/// two thirds of it, so that its caption and some text stay on the page.
const MOST_WIDE: u64 = 9072 * 635;
const MOST_HIGH: u64 = 9320 * 635;

/// A run's content that shows the picture in its line.
pub(super) fn drawing(figure: &Figure, asset: &Asset) -> String {
    let (width, height) = size(asset.width.into(), asset.height.into());
    let alternative = escaped(&figure.alternative);
    let (number, asset_number) = (figure.number, figure.asset + 1);
    format!(
        "<w:drawing><wp:inline distT=\"0\" distB=\"0\" distL=\"0\" distR=\"0\">\
         <wp:extent cx=\"{width}\" cy=\"{height}\"/>\
         <wp:docPr id=\"{number}\" name=\"Picture {number}\" descr=\"{alternative}\"/>\
         <wp:cNvGraphicFramePr><a:graphicFrameLocks noChangeAspect=\"1\"/></wp:cNvGraphicFramePr>\
         <a:graphic><a:graphicData uri=\"http://schemas.openxmlformats.org/drawingml/2006/picture\"><pic:pic>\
         <pic:nvPicPr><pic:cNvPr id=\"{number}\" name=\"Picture {number}\" descr=\"{alternative}\"/><pic:cNvPicPr/>\
         </pic:nvPicPr><pic:blipFill><a:blip r:embed=\"picture{asset_number}\"/><a:stretch><a:fillRect/></a:stretch>\
         </pic:blipFill><pic:spPr><a:xfrm><a:off x=\"0\" y=\"0\"/><a:ext cx=\"{width}\" cy=\"{height}\"/></a:xfrm>\
         <a:prstGeom prst=\"rect\"><a:avLst/></a:prstGeom></pic:spPr></pic:pic></a:graphicData></a:graphic>\
         </wp:inline></w:drawing>"
    )
}

/// Pixels as units on the page, made smaller where they would not fit.
fn size(width: u64, height: u64) -> (u64, u64) {
    let (mut wide, mut high) = (width * UNITS_A_PIXEL, height * UNITS_A_PIXEL);
    if wide > MOST_WIDE {
        (wide, high) = (MOST_WIDE, MOST_WIDE * height / width);
    }
    if high > MOST_HIGH {
        (wide, high) = (MOST_HIGH * width / height, MOST_HIGH);
    }
    (wide.max(1), high.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_its_real_size_where_it_fits() {
        assert_eq!(size(96, 48), (914_400, 457_200));
        assert_eq!(size(10_000, 5_000), (MOST_WIDE, MOST_WIDE / 2));
        assert_eq!(size(1_000, 10_000), (MOST_HIGH / 10, MOST_HIGH));
        assert_eq!(size(65_535, 1), (MOST_WIDE, MOST_WIDE / 65_535));
    }
}
