//! What is true of a scene: a place, its hour, weather and season, and up to five kinds of things.
//!
//! Invariants (kept by [`crate::sample`], checked in the tests): a kind occurs once, so "the dog" is one
//! group; all things of a group have one colour and size; a single thing has a side, several are spread
//! over the width; things are ordered by depth, then side. Deliberately absent: coordinates. Those belong to
//! the drawing, and follow from side, depth and look.

use serde::{Deserialize, Serialize};

use crate::{closed::closed, kinds::Kind, places::Place, split::SceneId};

closed! {
    /// A colour that is told from all others at a glance.
    Colour {
        Red "red" "红色",
        Orange "orange" "橙色",
        Yellow "yellow" "黄色",
        Green "green" "绿色",
        Blue "blue" "蓝色",
        Purple "purple" "紫色",
        Pink "pink" "粉色",
        Brown "brown" "棕色",
        Black "black" "黑色",
        White "white" "白色",
    }
}

closed! {
    /// A season; outdoors the ground and the woods show it, indoors the window.
    Season {
        Spring "spring" "春天",
        Summer "summer" "夏天",
        Autumn "autumn" "秋天",
        Winter "winter" "冬天",
    }
}

closed! {
    /// A time of day, by the light.
    Hour {
        Morning "morning" "早晨",
        Day "day" "白天",
        Evening "evening" "傍晚",
        Night "night" "夜晚",
    }
}

closed! {
    /// What the sky does.
    Weather {
        Clear "clear" "晴朗",
        Cloudy "cloudy" "多云",
        Rainy "rainy" "下雨",
        Snowy "snowy" "下雪",
        Foggy "foggy" "有雾",
        Stormy "stormy" "雷暴",
    }
}

closed! {
    /// A third of the picture's width, as the onlooker sees it.
    Side {
        Left "left" "左边",
        Middle "middle" "中间",
        Right "right" "右边",
    }
}

closed! {
    /// How far back something is.
    Depth {
        Sky "in the sky" "天上",
        Far "far" "远处",
        Near "near" "近处",
    }
}

closed! {
    /// A size that shows beside others of the same kind.
    Size {
        Small "small" "小",
        Large "large" "大",
    }
}

closed! {
    /// What a sign says.
    Word {
        Art "ART" "艺术", Bank "BANK" "银行", Beach "BEACH" "海滩", Books "BOOKS" "书店",
        Bread "BREAD" "面包", Bus "BUS" "公交", Cafe "CAFE" "咖啡", Cake "CAKE" "蛋糕",
        City "CITY" "城市", East "EAST" "东", Exit "EXIT" "出口", Farm "FARM" "农场",
        Fish "FISH" "鱼", Food "FOOD" "食物", Hello "HELLO" "你好", Hill "HILL" "山丘",
        Home "HOME" "家", Hotel "HOTEL" "酒店", Ice "ICE" "冰", Jam "JAM" "果酱",
        Lake "LAKE" "湖", Milk "MILK" "牛奶", Music "MUSIC" "音乐", North "NORTH" "北",
        Open "OPEN" "营业", Park "PARK" "公园", Pizza "PIZZA" "披萨", Port "PORT" "港口",
        River "RIVER" "河", Sale "SALE" "促销", Shop "SHOP" "商店", Slow "SLOW" "慢行",
        South "SOUTH" "南", Stop "STOP" "停", Taxi "TAXI" "出租车", Tea "TEA" "茶",
        Toys "TOYS" "玩具", Train "TRAIN" "火车", West "WEST" "西", Zoo "ZOO" "动物园",
    }
}

/// A group of things of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// What they are.
    pub kind: Kind,
    /// Their colour, for kinds that have one to ask for.
    pub colour: Option<Colour>,
    /// How many: 1 to 5.
    pub count: u8,
    /// Its size, for a single one of a kind that comes in two.
    pub size: Option<Size>,
    /// How far back.
    pub depth: Depth,
    /// Where a single thing is; none for several, which are spread over the width.
    pub side: Option<Side>,
    /// What it says, for a sign.
    pub word: Option<Word>,
}

/// A scene: everything that can be asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scene {
    /// Its name.
    pub id: SceneId,
    /// Where it is.
    pub place: Place,
    /// The season.
    pub season: Season,
    /// The time of day.
    pub hour: Hour,
    /// The weather; indoors, seen through the window.
    pub weather: Weather,
    /// What is there, one entry a kind, ordered by depth and side.
    pub things: Vec<Thing>,
    /// Decides what nobody asks about: outlines, shades, exact places.
    pub look: u64,
}

impl Scene {
    /// The group of a kind, where there is one.
    pub fn find(&self, kind: Kind) -> Option<&Thing> {
        self.things.iter().find(|thing| thing.kind == kind)
    }

    /// How many of a kind there are.
    pub fn count(&self, kind: Kind) -> u8 {
        self.find(kind).map_or(0, |thing| thing.count)
    }

    /// The sign's word, where there is a sign.
    pub fn word(&self) -> Option<Word> {
        self.things.iter().find_map(|thing| thing.word)
    }

    /// Kinds that are certainly not to be seen: neither among the things nor in the background.
    pub fn absent(&self) -> impl Iterator<Item = Kind> {
        let background = self.place.background();
        let absent = |kind: &Kind| self.find(*kind).is_none() && !background.contains(kind);
        Kind::ALL.iter().copied().filter(absent)
    }
}
