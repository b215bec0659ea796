//! What the world's things are, in a sentence or two each.
//!
//! `$one` and `$many` are the kind's names. Deliberately absent: pictures.

use crate::kinds::Kind::{self, *};

/// Questions about a kind in general.
pub(crate) const ASK: &[&str] = &[
    "What is a $one?",
    "{Tell me something about $many.|What do you know about $many?}",
    "{Explain|Say in a sentence} what a $one is.",
    "Describe a $one{| in general}.",
];

/// Facts by kind.
pub(crate) const FACTS: &[(Kind, &[&str])] = &[
    (Man, &["A man is a grown person.", "Men, women and children are people."]),
    (Woman, &["A woman is a grown person.", "Women, men and children are people."]),
    (Child, &["A child is a young person.", "Children like to play, and they grow up."]),
    (
        Dog,
        &[
            "A dog is an animal that barks and guards the house.",
            "Dogs have four legs and a good nose.",
        ],
    ),
    (
        Cat,
        &[
            "A cat is a small animal that purrs and catches mice.",
            "Cats have soft fur and whiskers.",
        ],
    ),
    (Cow, &["A cow is a large farm animal that gives milk.", "Cows eat grass and have horns."]),
    (
        Horse,
        &["A horse is a large animal that people ride.", "Horses have a mane, and they run fast."],
    ),
    (Sheep, &["A sheep is a farm animal with thick wool.", "Sheep live in flocks and eat grass."]),
    (Duck, &["A duck is a water bird that swims.", "Ducks have an orange beak and webbed feet."]),
    (
        Rabbit,
        &["A rabbit is a small animal with long ears.", "Rabbits hop and eat carrots and leaves."],
    ),
    (Bird, &["A bird is an animal with wings and feathers.", "Birds fly, sing and build nests."]),
    (
        Crab,
        &["A crab is a sea animal with claws and a shell.", "Crabs walk sideways over the sand."],
    ),
    (Car, &["A car is a vehicle with four wheels.", "Cars carry a few people along the roads."]),
    (
        Bus,
        &[
            "A bus is a large vehicle that carries many people.",
            "Buses stop where people wait for them.",
        ],
    ),
    (
        Bicycle,
        &[
            "A bicycle is a vehicle with two wheels and pedals.",
            "Bicycles need no fuel, only strong legs.",
        ],
    ),
    (
        Tractor,
        &[
            "A tractor is a strong vehicle that works on fields.",
            "Tractors have two very high wheels.",
        ],
    ),
    (
        Boat,
        &["A boat is a vehicle that floats on water.", "Boats with sails are moved by the wind."],
    ),
    (
        Balloon,
        &[
            "A balloon rises because hot air is lighter than cold air.",
            "Balloons carry a basket for people below.",
        ],
    ),
    (
        Plane,
        &["A plane is a vehicle with wings that flies.", "Planes carry people over land and sea."],
    ),
    (
        House,
        &[
            "A house is a building in which people live.",
            "Houses have walls, a roof, windows and a door.",
        ],
    ),
    (Barn, &["A barn is a farm building for hay and animals.", "Barns have wide doors."]),
    (
        Church,
        &["A church is a building with a tower and a bell.", "Churches are built for prayer."],
    ),
    (Tent, &["A tent is a shelter made of cloth.", "Tents are light, so people carry them along."]),
    (
        Windmill,
        &[
            "A windmill is a building whose sails turn in the wind.",
            "Windmills once ground corn into flour.",
        ],
    ),
    (
        Lighthouse,
        &[
            "A lighthouse is a tower whose light guides ships.",
            "Lighthouses stand where the coast is dangerous.",
        ],
    ),
    (
        Castle,
        &[
            "A castle is an old, strong building with towers.",
            "Castles once protected kings and queens.",
        ],
    ),
    (
        Tree,
        &["A tree is a tall plant with a trunk and leaves.", "Trees lose their leaves in autumn."],
    ),
    (
        Pine,
        &[
            "A pine is a plant with needles that stays green in winter.",
            "Pines grow high up in the mountains.",
        ],
    ),
    (Palm, &["A palm is a tall plant of warm coasts.", "Palms have a crown of long leaves."]),
    (
        Flower,
        &[
            "A flower is the colourful part of a plant.",
            "Flowers bloom from spring to autumn and feed the bees.",
        ],
    ),
    (
        Mushroom,
        &[
            "A mushroom has a cap and a stem and grows in the forest.",
            "Mushrooms come up after warm rain.",
        ],
    ),
    (Bench, &["A bench is a long seat for several people.", "Benches invite people to rest."]),
    (
        Kite,
        &[
            "A kite is a toy that flies in the wind on a string.",
            "Kites need wind and a wide field.",
        ],
    ),
    (Umbrella, &["An umbrella gives shade on the beach.", "Umbrellas can be opened and closed."]),
    (Ball, &["A ball is a round toy.", "Balls roll, bounce and fly."]),
    (
        Snowman,
        &["A snowman is a figure made of snow.", "Snowmen live in winter and melt in spring."],
    ),
    (Lantern, &["A lantern gives light in the street at night.", "Lanterns stand on tall posts."]),
    (
        Sign,
        &[
            "A sign is a board with a word on it.",
            "Signs tell people where they are or what to do.",
        ],
    ),
    (Chair, &["A chair is a seat for one person.", "Chairs have four legs and a back."]),
    (Sofa, &["A sofa is a soft seat for several people.", "Sofas stand in the living room."]),
    (Lamp, &["A lamp gives light in a room.", "Lamps are lit in the evening."]),
    (Plant, &["A potted plant grows in a pot in a room.", "Potted plants need water and light."]),
    (Clock, &["A clock shows the time.", "Clocks have two hands and a round face."]),
    (
        Painting,
        &["A painting is a work of art on the wall.", "Paintings are made with brushes and paint."],
    ),
    (Shelf, &["A shelf holds many volumes, side by side.", "Shelves stand at the wall."]),
    (Book, &["A book has pages with words to read.", "Books tell stories."]),
    (Cup, &["A cup holds something hot to drink.", "Cups have a handle."]),
    (Bottle, &["A bottle holds something to drink.", "Bottles are made of glass."]),
    (Apple, &["An apple is a round fruit.", "Apples ripen in autumn."]),
    (Vase, &["A vase holds cut blossoms and water.", "Vases are made of clay or glass."]),
    (Candle, &["A candle is made of wax and gives light.", "Candles burn with a small flame."]),
    (Teddy, &["A teddy is a soft toy bear.", "Teddies sleep in the beds of children."]),
    (Cake, &["A cake is sweet and is eaten at birthdays.", "Cakes are baked in the kitchen."]),
];

/// General questions of the world: (question, answer).
pub(crate) const GENERAL: &[(&str, &str)] = &[
    ("What comes after spring?", "Summer comes after spring."),
    ("What comes after summer?", "Autumn comes after summer."),
    ("What comes after autumn?", "Winter comes after autumn."),
    ("What comes after winter?", "Spring comes after winter."),
    ("When {does it snow|is there snow}?", "{It snows in winter|Snow falls in winter}."),
    (
        "When {do trees bloom|are there pink blossoms}?",
        "{Trees bloom|The blossoms come} in spring.",
    ),
    ("When do leaves turn orange?", "Leaves turn orange in autumn."),
    ("When can you see the stars?", "The stars are out at night, when the sky is clear."),
    ("Where do boats float?", "Boats float on the lake and on the sea."),
    ("Where do people cook?", "People cook in the kitchen."),
    ("Where do people sleep?", "People sleep in the bedroom."),
    ("Which is larger, a house or an apple?", "A house is larger than an apple."),
    ("Which is faster, a car or a bicycle?", "A car is faster than a bicycle."),
    ("How many wheels has a bicycle?", "A bicycle has two wheels."),
    ("How many legs has a horse?", "A horse has four legs."),
    ("How many seasons are there?", "There are four seasons."),
    ("What do you need when it rains?", "When it rains, you need a roof or a coat."),
    ("What does a storm bring?", "A storm brings wind, rain, thunder and lightning."),
    ("What is fog?", "Fog is a cloud that lies on the ground."),
    ("Two dogs and one dog: how many are they?", "Two dogs and one dog are three dogs."),
    ("One cat and one cat: how many are they?", "One cat and one cat are two cats."),
    ("Two birds and two birds: how many are they?", "Two birds and two birds are four birds."),
    ("Five apples, and one is eaten: how many are left over?", "Four apples are left over."),
];
