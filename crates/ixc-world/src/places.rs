//! Every place of the world: its names, what stands there, and what its background holds anyway.
//!
//! Invariant: what is in a place's background is never among its things, so nothing is asked about that
//! could be counted two ways. Deliberately absent: how places are drawn ([`crate::draw`]).

use crate::{
    closed::closed,
    kinds::Kind::{self, *},
};

closed! {
    /// Where a scene is.
    Place {
        Meadow "meadow" "草地",
        Mountains "mountains" "山区",
        Forest "forest" "森林",
        Lake "lake" "湖边",
        Beach "beach" "海滩",
        Street "street" "街道",
        Park "park" "公园",
        LivingRoom "living room" "客厅",
        Kitchen "kitchen" "厨房",
        Bedroom "bedroom" "卧室",
    }
}

/// What may stand in a place, by depth.
#[derive(Clone, Copy, Debug)]
pub struct Stock {
    /// In the sky.
    pub sky: &'static [Kind],
    /// Far away; in a room, at the wall.
    pub far: &'static [Kind],
    /// Near; in a kitchen, on the table.
    pub near: &'static [Kind],
}

const SKY: &[Kind] = &[Bird, Balloon, Plane, Kite];
const FLOOR: &[Kind] = &[Cat, Dog, Ball, Book, Teddy, Child, Chair, Man, Woman];

impl Place {
    /// Whether it has a floor and walls.
    pub fn indoors(self) -> bool {
        matches!(self, Self::LivingRoom | Self::Kitchen | Self::Bedroom)
    }

    /// What may stand here.
    pub fn stock(self) -> Stock {
        let (sky, far, near): (&[_], &[_], &[_]) = match self {
            Self::Meadow => (
                SKY,
                &[Cow, Horse, Sheep, Barn, House, Windmill, Tree, Tractor, Church, Castle],
                &[
                    Cow, Horse, Sheep, Dog, Rabbit, Man, Woman, Child, Tree, Flower, Bicycle,
                    Tractor, Sign, Bench, Snowman,
                ],
            ),
            Self::Mountains => (
                SKY,
                &[Pine, House, Tent, Castle, Church, Sheep, Cow],
                &[Pine, Tent, Sheep, Dog, Man, Woman, Child, Flower, Sign, Rabbit, Snowman, Horse],
            ),
            Self::Forest => (
                &[Bird],
                &[House, Tent, Rabbit, Horse],
                &[
                    Mushroom, Rabbit, Tent, Dog, Man, Woman, Child, Flower, Sign, Bicycle, Bench,
                    Snowman,
                ],
            ),
            Self::Lake => (
                SKY,
                &[Boat, Duck],
                &[Duck, Tent, Man, Woman, Child, Dog, Bench, Tree, Sign, Bicycle, Flower],
            ),
            Self::Beach => (
                SKY,
                &[Boat, Lighthouse],
                &[Crab, Umbrella, Ball, Palm, Child, Man, Woman, Dog, Tent, Sign, Chair],
            ),
            Self::Street => (
                &[Bird, Balloon, Plane],
                &[Car, Bus, Tree, Lantern],
                &[Car, Bus, Bicycle, Man, Woman, Child, Dog, Cat, Bench, Lantern, Sign, Snowman],
            ),
            Self::Park => (
                SKY,
                &[Tree, Bench, Lantern, House, Man, Woman],
                &[
                    Dog, Child, Ball, Duck, Bench, Flower, Bicycle, Man, Woman, Tree, Lantern,
                    Sign, Rabbit, Snowman,
                ],
            ),
            Self::LivingRoom => (&[], &[Sofa, Lamp, Shelf, Painting, Clock, Plant], FLOOR),
            Self::Kitchen => (
                &[],
                &[Clock, Painting, Plant],
                &[Apple, Cup, Bottle, Vase, Candle, Cake, Book, Cat],
            ),
            Self::Bedroom => (&[], &[Lamp, Painting, Clock, Shelf, Plant], FLOOR),
        };
        Stock { sky, far, near }
    }

    /// Kinds that the background shows without their being among the things.
    pub fn background(self) -> &'static [Kind] {
        match self {
            Self::Forest => &[Tree, Pine],
            Self::Street => &[House],
            _ => &[],
        }
    }
}
