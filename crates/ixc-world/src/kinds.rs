//! Every kind of thing the world has: its names, and what it may be like.
//!
//! One row a kind, read by the sampler, the words and the judges. Invariants: no name is part of another's
//! (a text that names a kind names it alone), and a kind with colours has at least two.
//! Deliberately absent: where kinds stand ([`crate::places`]) and how they are drawn ([`crate::draw`]).

use serde::{Deserialize, Serialize};

use crate::scene::Colour::{self, *};

/// What a kind belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Men, women, children.
    People,
    /// Living things with legs or wings.
    Animals,
    /// What moves people.
    Vehicles,
    /// What people live in, or once did.
    Buildings,
    /// What grows.
    Plants,
    /// Everything else.
    Objects,
}

/// A kind's row.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// One of them, in English.
    pub one: &'static str,
    /// Several.
    pub many: &'static str,
    /// In Chinese.
    pub chinese: &'static str,
    /// The Chinese measure word.
    pub measure: &'static str,
    /// What it belongs to.
    pub family: Family,
    /// The colours it comes in; none where the colour is no property to ask for.
    pub colours: &'static [Colour],
    /// The most there are in a scene.
    pub most: u8,
    /// Whether it comes small and large.
    pub sized: bool,
    /// Height of a near one of middle size, as a share of the picture's.
    pub height: f32,
    /// Width over height.
    pub aspect: f32,
}

const PAINTS: &[Colour] = &[Red, Orange, Yellow, Green, Blue, Purple, Pink, White];
const CLOTHES: &[Colour] = &[Red, Orange, Yellow, Green, Blue, Purple, Pink, White, Black];
const CARS: &[Colour] = &[Red, Orange, Yellow, Green, Blue, Purple, Pink, White, Black];
const PETALS: &[Colour] = &[Red, Orange, Yellow, Blue, Purple, Pink, White];
const NONE: &[Colour] = &[];

macro_rules! kinds {
    ($($kind:ident: $one:literal $many:literal, $chinese:literal $measure:literal, $family:ident, $colours:expr,
       $most:literal, $sized:literal, $height:literal x $aspect:literal;)+) => {
        /// A kind of thing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $(#[doc = $one] $kind,)+
        }

        impl Kind {
            /// Every kind, in order.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];
        }

        const ABOUT: &[About] = &[
            $(About {
                one: $one,
                many: $many,
                chinese: $chinese,
                measure: $measure,
                family: Family::$family,
                colours: $colours,
                most: $most,
                sized: $sized,
                height: $height,
                aspect: $aspect,
            },)+
        ];
    };
}

// kind: one many, Chinese measure, family, colours, most, small or large, height x width/height
kinds! {
    Man: "man" "men", "男人" "个", People, CLOTHES, 3, false, 0.34 x 0.5;
    Woman: "woman" "women", "女人" "个", People, CLOTHES, 3, false, 0.34 x 0.5;
    Child: "child" "children", "孩子" "个", People, CLOTHES, 4, false, 0.24 x 0.6;
    Dog: "dog" "dogs", "狗" "只", Animals, &[Brown, Black, White], 4, true, 0.20 x 1.25;
    Cat: "cat" "cats", "猫" "只", Animals, &[Black, White, Orange], 4, false, 0.21 x 0.95;
    Cow: "cow" "cows", "牛" "头", Animals, &[Brown, Black, White], 4, false, 0.22 x 1.4;
    Horse: "horse" "horses", "马" "匹", Animals, &[Brown, Black, White], 4, false, 0.28 x 1.15;
    Sheep: "sheep" "sheep", "羊" "只", Animals, &[White, Black], 5, false, 0.18 x 1.25;
    Duck: "duck" "ducks", "鸭子" "只", Animals, &[Yellow, White, Brown], 5, false, 0.15 x 1.2;
    Rabbit: "rabbit" "rabbits", "兔子" "只", Animals, &[White, Brown, Black], 4, false, 0.2 x 0.8;
    Bird: "bird" "birds", "鸟" "只", Animals, &[White, Red, Blue, Yellow], 5, false, 0.13 x 1.5;
    Crab: "crab" "crabs", "螃蟹" "只", Animals, &[Red, Orange, Purple], 4, false, 0.13 x 1.6;
    Car: "car" "cars", "汽车" "辆", Vehicles, CARS, 4, false, 0.17 x 1.9;
    Bus: "bus" "buses", "巴士" "辆", Vehicles, &[Red, Yellow, Green, Blue, Orange], 2, false, 0.24 x 1.6;
    Bicycle: "bicycle" "bicycles", "自行车" "辆", Vehicles, &[Red, Yellow, Blue, Green, Black], 3, false, 0.2 x 1.5;
    Tractor: "tractor" "tractors", "拖拉机" "台", Vehicles, &[Red, Green, Blue, Yellow], 2, false, 0.24 x 1.25;
    Boat: "boat" "boats", "帆船" "艘", Vehicles, PAINTS, 4, true, 0.26 x 0.9;
    Balloon: "balloon" "balloons", "热气球" "个", Vehicles, PAINTS, 4, true, 0.22 x 0.75;
    Plane: "plane" "planes", "飞机" "架", Vehicles, &[White, Red, Blue, Yellow], 2, false, 0.12 x 2.0;
    House: "house" "houses", "房子" "座", Buildings, PAINTS, 3, true, 0.34 x 0.95;
    Barn: "barn" "barns", "谷仓" "座", Buildings, &[Red, Brown, White], 1, false, 0.34 x 1.05;
    Church: "church" "churches", "教堂" "座", Buildings, &[White, Brown, Yellow], 1, false, 0.42 x 0.75;
    Tent: "tent" "tents", "帐篷" "顶", Buildings, PAINTS, 3, true, 0.22 x 1.35;
    Windmill: "windmill" "windmills", "风车" "座", Buildings, &[White, Red, Brown], 2, false, 0.42 x 0.72;
    Lighthouse: "lighthouse" "lighthouses", "灯塔" "座", Buildings, &[Red, Blue, Black], 1, false, 0.44 x 0.42;
    Castle: "castle" "castles", "城堡" "座", Buildings, &[White, Brown, Pink], 1, false, 0.38 x 1.05;
    Tree: "tree" "trees", "树木" "棵", Plants, NONE, 4, true, 0.38 x 0.72;
    Pine: "pine" "pines", "松树" "棵", Plants, NONE, 5, true, 0.38 x 0.55;
    Palm: "palm" "palms", "棕榈" "棵", Plants, NONE, 3, false, 0.4 x 0.75;
    Flower: "flower" "flowers", "花朵" "朵", Plants, PETALS, 5, false, 0.2 x 0.6;
    Mushroom: "mushroom" "mushrooms", "蘑菇" "个", Plants, &[Red, Brown, White], 5, false, 0.16 x 1.0;
    Bench: "bench" "benches", "长椅" "张", Objects, &[Brown, Green, Red, White], 2, false, 0.16 x 1.7;
    Kite: "kite" "kites", "风筝" "只", Objects, PAINTS, 3, false, 0.17 x 0.8;
    Umbrella: "umbrella" "umbrellas", "阳伞" "把", Objects, PAINTS, 3, false, 0.3 x 1.0;
    Ball: "ball" "balls", "皮球" "个", Objects, PAINTS, 5, true, 0.14 x 1.0;
    Snowman: "snowman" "snowmen", "雪人" "个", Objects, NONE, 3, true, 0.3 x 0.62;
    Lantern: "lantern" "lanterns", "路灯" "盏", Objects, NONE, 3, false, 0.42 x 0.28;
    Sign: "sign" "signs", "牌子" "块", Objects, &[White, Yellow, Green, Blue, Red], 1, false, 0.3 x 1.35;
    Chair: "chair" "chairs", "椅子" "把", Objects, PAINTS, 3, false, 0.28 x 0.65;
    Sofa: "sofa" "sofas", "沙发" "张", Objects, PAINTS, 1, false, 0.21 x 1.7;
    Lamp: "lamp" "lamps", "落地灯" "盏", Objects, &[Red, Yellow, Green, Blue, White, Pink], 1, false, 0.42 x 0.42;
    Plant: "potted plant" "potted plants", "盆栽" "盆", Plants, &[Red, Blue, White, Brown, Yellow], 3, false, 0.28 x 0.75;
    Clock: "clock" "clocks", "挂钟" "个", Objects, &[Red, Blue, Black, Brown], 1, false, 0.19 x 1.0;
    Painting: "painting" "paintings", "油画" "幅", Objects, NONE, 2, false, 0.2 x 1.25;
    Shelf: "shelf" "shelves", "书架" "个", Objects, &[Brown, White, Black], 1, false, 0.4 x 0.7;
    Book: "book" "books", "书本" "本", Objects, PAINTS, 5, false, 0.12 x 1.35;
    Cup: "cup" "cups", "杯子" "个", Objects, PAINTS, 5, false, 0.14 x 1.15;
    Bottle: "bottle" "bottles", "瓶子" "个", Objects, &[Green, Blue, Brown, White], 4, false, 0.24 x 0.42;
    Apple: "apple" "apples", "苹果" "个", Objects, &[Red, Green, Yellow], 5, false, 0.13 x 1.0;
    Vase: "vase" "vases", "花瓶" "个", Objects, &[Blue, White, Red, Purple, Green], 2, false, 0.27 x 0.6;
    Candle: "candle" "candles", "蜡烛" "支", Objects, &[White, Red, Yellow, Blue], 4, false, 0.22 x 0.4;
    Teddy: "teddy" "teddies", "泰迪熊" "只", Objects, &[Brown, Pink, White], 3, false, 0.24 x 0.85;
    Cake: "cake" "cakes", "蛋糕" "个", Objects, &[White, Pink, Brown], 2, false, 0.18 x 1.25;
}

impl Kind {
    /// Its row.
    pub fn about(self) -> &'static About {
        &ABOUT[self as usize]
    }

    /// Its English name for a number of them.
    pub fn english(self, count: u8) -> &'static str {
        if count == 1 { self.about().one } else { self.about().many }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_a_word_of_another() {
        for &one in Kind::ALL {
            for &other in Kind::ALL {
                let names = [one.about().one, one.about().many];
                let words = other.about().one.split(' ').chain(other.about().many.split(' '));
                let shares = words.into_iter().any(|word| names.contains(&word))
                    || other.about().chinese.contains(one.about().chinese);
                assert!(!shares || one == other, "{one:?} {other:?}");
            }
            assert_ne!(one.about().colours.len(), 1, "{one:?}: nothing to ask for");
            assert!((1..=5).contains(&one.about().most));
        }
    }
}
