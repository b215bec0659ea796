//! A square canvas with a frame of its own for each thing: shapes in, pixels out.
//!
//! Coordinates are of the present frame: the whole picture is 1 wide, x to the right, y down; a thing's frame
//! has its foot at (0, 0) and its top at y = -1. Outlines have one width everywhere on the picture.
//! Deliberately absent: what is drawn.

use ixc_input::image::Picture;
use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Paint, Path, PathBuilder,
    Pixmap, Point, RadialGradient, Rect, Shader, SpreadMode, Stroke, Transform,
};

use super::colour::{Rgb, Tint};

/// Width of outlines, as a share of the picture's.
const OUTLINE: f32 = 0.0075;

/// Alpha above which a colour hides what is below it: more of it is seen than of that.
const HIDES: f32 = 0.5;

/// Pixels, and where on them the present frame lies.
pub(super) struct Canvas {
    pixmap: Pixmap,
    frame: Transform,
    /// Pixels a unit of the frame.
    unit: f32,
    /// What light makes of colours.
    pub(super) tint: Tint,
    /// The number of what is being drawn.
    pub(super) owner: u8,
    /// Whose each pixel is; only where somebody wants to know.
    owners: Option<Pixmap>,
}

impl Canvas {
    /// An empty square canvas of so many pixels a side, which are not 0 and not too many for memory.
    pub(super) fn new(side: u32) -> Self {
        let pixmap = Pixmap::new(side, side).expect("a side that the caller has checked");
        let unit = side as f32;
        let frame = Transform::from_scale(unit, unit);
        Self { pixmap, frame, unit, tint: Tint::NONE, owner: 0, owners: None }
    }

    /// The same, which notes whose each pixel is.
    pub(super) fn noting(side: u32) -> Self {
        let canvas = Self::new(side);
        let owners = Some(canvas.pixmap.clone());
        Self { owners, ..canvas }
    }

    /// Draws in a frame whose origin is at (`x`, `y`) and whose unit is `scale` of this one's.
    pub(super) fn within(
        &mut self,
        (x, y): (f32, f32),
        scale: f32,
        mirrored: bool,
        draw: impl FnOnce(&mut Self),
    ) {
        let (frame, unit) = (self.frame, self.unit);
        let across = if mirrored { -scale } else { scale };
        self.frame = frame.pre_translate(x, y).pre_scale(across, scale);
        self.unit = unit * scale;
        draw(self);
        (self.frame, self.unit) = (frame, unit);
    }

    /// Draws in a frame that is turned by so many degrees about its origin.
    pub(super) fn turned(&mut self, degrees: f32, draw: impl FnOnce(&mut Self)) {
        let frame = self.frame;
        self.frame = frame.pre_concat(Transform::from_rotate(degrees));
        draw(self);
        self.frame = frame;
    }

    /// The width of an outline in this frame.
    fn outline(&self) -> f32 {
        OUTLINE * self.pixmap.width() as f32 / self.unit
    }

    /// Fills a shape. Where its colours have more than [`HIDES`] alpha, its pixels become the present owner's.
    fn paint_path(&mut self, path: &Path, shader: Shader<'_>, alpha: f32) {
        let paint = Paint { shader, anti_alias: true, ..Paint::default() };
        self.pixmap.fill_path(path, &paint, FillRule::Winding, self.frame, None);
        if let Some(owners) = self.owners.as_mut().filter(|_| alpha > HIDES) {
            owners.fill_path(path, &owned(self.owner), FillRule::Winding, self.frame, None);
        }
    }

    /// Fills a shape evenly, without an outline.
    pub(super) fn fill(&mut self, path: &Path, colour: Rgb) {
        self.wash(path, colour, 1.0);
    }

    /// Fills a shape through which what is below can be seen.
    pub(super) fn wash(&mut self, path: &Path, colour: Rgb, alpha: f32) {
        let colour = self.tint.apply(colour).skia(alpha);
        self.paint_path(path, Shader::SolidColor(colour), alpha);
    }

    /// Fills a shape with light of its own: no tint.
    pub(super) fn glow(&mut self, path: &Path, colour: Rgb, alpha: f32) {
        self.paint_path(path, Shader::SolidColor(colour.skia(alpha)), alpha);
    }

    /// Fills a shape from `top` to `bottom`.
    pub(super) fn fade(&mut self, path: &Path, top: (Rgb, f32), bottom: (Rgb, f32)) {
        let bounds = path.bounds();
        let stops = vec![
            GradientStop::new(0.0, self.tint.apply(top.0).skia(top.1)),
            GradientStop::new(1.0, self.tint.apply(bottom.0).skia(bottom.1)),
        ];
        let from = Point::from_xy(0.0, bounds.top());
        let to = Point::from_xy(0.0, bounds.bottom());
        let shader = LinearGradient::new(from, to, stops, SpreadMode::Pad, Transform::identity());
        match shader {
            Some(shader) => self.paint_path(path, shader, top.1.min(bottom.1)),
            None => self.wash(path, top.0, top.1),
        }
    }

    /// A round glow that fades to nothing at `radius`.
    pub(super) fn halo(&mut self, (x, y): (f32, f32), radius: f32, colour: Rgb, alpha: f32) {
        self.halo_in((x, y), radius, 1.0, colour, alpha);
    }

    fn halo_in(&mut self, (x, y): (f32, f32), radius: f32, flat: f32, colour: Rgb, alpha: f32) {
        let stops = vec![
            GradientStop::new(0.0, colour.skia(alpha)),
            GradientStop::new(0.5, colour.skia(alpha * 0.45)),
            GradientStop::new(1.0, colour.skia(0.0)),
        ];
        let centre = Point::from_xy(0.0, 0.0);
        let place = Transform::from_translate(x, y).pre_scale(1.0, flat);
        let shader =
            RadialGradient::new(centre, 0.0, centre, radius, stops, SpreadMode::Pad, place);
        if let (Some(shader), Some(path)) = (shader, oval(x, y, radius, radius * flat)) {
            self.paint_path(&path, shader, 0.0); // light and shadow are nobody's
        }
    }

    /// A soft shadow on the ground, so wide, at the frame's origin.
    pub(super) fn shadow(&mut self, width: f32) {
        self.halo_in((0.0, 0.0), width * 0.62, 0.2, Rgb(20.0, 20.0, 40.0), 0.5);
    }

    /// A shape as things have it: shaded from above, and outlined.
    pub(super) fn shape(&mut self, path: &Path, colour: Rgb) {
        self.fade(path, (colour.lighter(0.1), 1.0), (colour.darker(0.1), 1.0));
        let ink = self.tint.apply(colour.outline()).skia(1.0);
        let width = self.outline();
        self.stroke(path, Shader::SolidColor(ink), width);
    }

    /// A line so wide.
    pub(super) fn line(&mut self, path: &Path, colour: Rgb, width: f32) {
        let colour = self.tint.apply(colour).skia(1.0);
        self.stroke(path, Shader::SolidColor(colour), width);
    }

    /// A thin line as outlines are.
    pub(super) fn ink(&mut self, path: &Path, colour: Rgb) {
        let width = self.outline();
        self.line(path, colour, width);
    }

    /// A limb: a line with an outline.
    pub(super) fn limb(&mut self, path: &Path, colour: Rgb, width: f32) {
        let outline = self.outline();
        self.line(path, colour.outline(), width + 2.0 * outline * 0.6);
        self.line(path, colour, width);
    }

    fn stroke(&mut self, path: &Path, shader: Shader<'_>, width: f32) {
        let paint = Paint { shader, anti_alias: true, ..Paint::default() };
        let stroke = Stroke {
            width,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        self.pixmap.stroke_path(path, &paint, &stroke, self.frame, None);
        if let Some(owners) = &mut self.owners {
            owners.stroke_path(path, &owned(self.owner), &stroke, self.frame, None);
        }
    }

    /// Whose each pixel is, row by row; empty unless that was noted.
    pub(super) fn owners(&self) -> Vec<u8> {
        let pixels = self.owners.as_ref().map_or(&[][..], |owners| owners.pixels());
        pixels.iter().map(|pixel| pixel.red()).collect()
    }

    /// The pixels.
    pub(super) fn into_picture(self) -> Picture {
        let (width, height) = (self.pixmap.width(), self.pixmap.height());
        // The backdrop is opaque, so nothing is to be divided by its alpha.
        let (pixels, _) = self.pixmap.data().as_chunks::<4>();
        let rgb = pixels.iter().flat_map(|&[red, green, blue, _]| [red, green, blue]).collect();
        Picture::from_rgb(width, height, rgb)
    }
}

/// An owner's number as a colour, without soft edges: a pixel is one's or another's.
fn owned(owner: u8) -> Paint<'static> {
    let shader = Shader::SolidColor(Color::from_rgba8(owner, 0, 0, 255));
    Paint { shader, anti_alias: false, ..Paint::default() }
}

/// An ellipse; none where it has no area.
pub(super) fn oval(x: f32, y: f32, across: f32, down: f32) -> Option<Path> {
    Rect::from_ltrb(x - across, y - down, x + across, y + down).and_then(PathBuilder::from_oval)
}

/// An ellipse that is known to have an area.
pub(super) fn ellipse(x: f32, y: f32, across: f32, down: f32) -> Path {
    oval(x, y, across, down).expect("radii of the drawings are above 0")
}

/// A circle.
pub(super) fn circle(x: f32, y: f32, radius: f32) -> Path {
    ellipse(x, y, radius, radius)
}

/// A rectangle by its corner, width and height.
pub(super) fn rect(x: f32, y: f32, width: f32, height: f32) -> Path {
    polygon(&[(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
}

/// A rectangle with round corners.
pub(super) fn rounded(x: f32, y: f32, width: f32, height: f32, radius: f32) -> Path {
    let (right, bottom, r) = (x + width, y + height, radius.min(width / 2.0).min(height / 2.0));
    let mut path = PathBuilder::new();
    path.move_to(x + r, y);
    path.line_to(right - r, y);
    path.quad_to(right, y, right, y + r);
    path.line_to(right, bottom - r);
    path.quad_to(right, bottom, right - r, bottom);
    path.line_to(x + r, bottom);
    path.quad_to(x, bottom, x, bottom - r);
    path.line_to(x, y + r);
    path.quad_to(x, y, x + r, y);
    path.close();
    path.finish().expect("a rectangle is a path")
}

/// A closed polygon.
pub(super) fn polygon(points: &[(f32, f32)]) -> Path {
    joined(points, true)
}

/// Straight lines from point to point.
pub(super) fn lines(points: &[(f32, f32)]) -> Path {
    joined(points, false)
}

fn joined(points: &[(f32, f32)], closed: bool) -> Path {
    let mut path = PathBuilder::new();
    path.move_to(points[0].0, points[0].1);
    for &(x, y) in &points[1..] {
        path.line_to(x, y);
    }
    if closed {
        path.close();
    }
    path.finish().expect("two points make a path")
}

/// A curve from `start` over pairs of a handle and an end.
pub(super) fn curve(start: (f32, f32), arcs: &[(f32, f32, f32, f32)], closed: bool) -> Path {
    let mut path = PathBuilder::new();
    path.move_to(start.0, start.1);
    for &(handle_x, handle_y, x, y) in arcs {
        path.quad_to(handle_x, handle_y, x, y);
    }
    if closed {
        path.close();
    }
    path.finish().expect("an arc makes a path")
}
