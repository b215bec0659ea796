//! A sheet of scenes as one PNG: `cargo run --example sheet -- OUT SIDE COLUMNS ROWS [FIRST]`.
use ixc_world::{
    draw, sample,
    split::{SceneId, Split},
};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let n = |i: usize| args[i].parse::<u64>().unwrap();
    let (side, columns, rows) = (n(2) as u32, n(3), n(4));
    let first = args.get(5).map_or(0, |a| a.parse().unwrap());
    let mut raster = vec![0u8; (side as u64 * columns * side as u64 * rows * 3) as usize];
    let start = std::time::Instant::now();
    for at in 0..columns * rows {
        let scene = sample::scene(SceneId { split: Split::Train, seed: 0, number: first + at });
        if args.len() > 6 {
            println!("{} {}", first + at, serde_json::to_string(&scene).unwrap());
        }
        let picture = draw::picture(&scene, side);
        let (cx, cy) = ((at % columns) as usize, (at / columns) as usize);
        for y in 0..side as usize {
            let row = ((cy * side as usize + y) * columns as usize + cx) * side as usize * 3;
            raster[row..row + side as usize * 3].copy_from_slice(
                &picture.rgb()[y * side as usize * 3..(y + 1) * side as usize * 3],
            );
        }
    }
    eprintln!("{:.2} ms each", start.elapsed().as_secs_f64() * 1e3 / (columns * rows) as f64);
    let file = std::fs::File::create(&args[1]).unwrap();
    let mut png = png::Encoder::new(file, side * columns as u32, side * rows as u32);
    png.set_color(png::ColorType::Rgb);
    png.write_header().unwrap().write_image_data(&raster).unwrap();
}
