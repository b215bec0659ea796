//! Which drawing a kind has, and what the drawing is told.
//!
//! Each drawing fills a frame: foot at (0, 0), top at y = -1, width by the kind's row. Deliberately absent:
//! where on the picture that frame is.

use super::{
    animals, buildings,
    canvas::Canvas,
    colour::{Rgb, SNOW},
    household, objects, people, plants, vehicles,
};
use crate::{
    kinds::Kind,
    scene::{Season, Word},
};

/// What a drawing is told of its thing.
pub(super) struct Look {
    /// The thing's colour.
    pub(super) paint: Rgb,
    pub(super) season: Season,
    pub(super) outdoors: bool,
    /// Whether it is dark enough for lamps.
    pub(super) lit: bool,
    /// What it says.
    pub(super) word: Option<Word>,
    /// Any number, for what nobody asks about.
    pub(super) variant: usize,
}

impl Look {
    /// The colour of a roof or a crown: snow in winter.
    pub(super) fn or_snow(&self, colour: Rgb) -> Rgb {
        if self.season == Season::Winter && self.outdoors { SNOW } else { colour }
    }

    /// One of several, by the variant.
    pub(super) fn one_of<T: Copy>(&self, from: &[T]) -> T {
        from[self.variant % from.len()]
    }
}

/// Draws one thing in its frame.
pub(super) fn draw(canvas: &mut Canvas, kind: Kind, look: &Look) {
    if !matches!(
        kind,
        Kind::Bird
            | Kind::Balloon
            | Kind::Plane
            | Kind::Kite
            | Kind::Boat
            | Kind::Clock
            | Kind::Painting
    ) {
        canvas.shadow(kind.about().aspect * 0.9);
    }
    match kind {
        Kind::Man => people::man(canvas, look),
        Kind::Woman => people::woman(canvas, look),
        Kind::Child => people::child(canvas, look),
        Kind::Dog => animals::dog(canvas, look),
        Kind::Cat => animals::cat(canvas, look),
        Kind::Cow => animals::cow(canvas, look),
        Kind::Horse => animals::horse(canvas, look),
        Kind::Sheep => animals::sheep(canvas, look),
        Kind::Duck => animals::duck(canvas, look),
        Kind::Rabbit => animals::rabbit(canvas, look),
        Kind::Bird => animals::bird(canvas, look),
        Kind::Crab => animals::crab(canvas, look),
        Kind::Car => vehicles::car(canvas, look),
        Kind::Bus => vehicles::bus(canvas, look),
        Kind::Bicycle => vehicles::bicycle(canvas, look),
        Kind::Tractor => vehicles::tractor(canvas, look),
        Kind::Boat => vehicles::boat(canvas, look),
        Kind::Balloon => vehicles::balloon(canvas, look),
        Kind::Plane => vehicles::plane(canvas, look),
        Kind::House => buildings::house(canvas, look),
        Kind::Barn => buildings::barn(canvas, look),
        Kind::Church => buildings::church(canvas, look),
        Kind::Tent => buildings::tent(canvas, look),
        Kind::Windmill => buildings::windmill(canvas, look),
        Kind::Lighthouse => buildings::lighthouse(canvas, look),
        Kind::Castle => buildings::castle(canvas, look),
        Kind::Tree => plants::tree(canvas, look),
        Kind::Pine => plants::pine(canvas, look),
        Kind::Palm => plants::palm(canvas, look),
        Kind::Flower => plants::flower(canvas, look),
        Kind::Mushroom => plants::mushroom(canvas, look),
        Kind::Plant => plants::potted(canvas, look),
        Kind::Bench => objects::bench(canvas, look),
        Kind::Kite => objects::kite(canvas, look),
        Kind::Umbrella => objects::umbrella(canvas, look),
        Kind::Ball => objects::ball(canvas, look),
        Kind::Snowman => objects::snowman(canvas, look),
        Kind::Lantern => objects::lantern(canvas, look),
        Kind::Sign => objects::sign(canvas, look),
        Kind::Chair => household::chair(canvas, look),
        Kind::Sofa => household::sofa(canvas, look),
        Kind::Lamp => household::lamp(canvas, look),
        Kind::Clock => household::clock(canvas, look),
        Kind::Painting => household::painting(canvas, look),
        Kind::Shelf => household::shelf(canvas, look),
        Kind::Book => household::book(canvas, look),
        Kind::Cup => household::cup(canvas, look),
        Kind::Bottle => household::bottle(canvas, look),
        Kind::Apple => household::apple(canvas, look),
        Kind::Vase => household::vase(canvas, look),
        Kind::Candle => household::candle(canvas, look),
        Kind::Teddy => household::teddy(canvas, look),
        Kind::Cake => household::cake(canvas, look),
    }
}
