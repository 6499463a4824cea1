//! Makes bases outside the `plimsoll` command: `cargo run -p plimsoll-base --example make -- HOME NAME...`
//!
//! Writes `HOME/NAME.tar` beside, for `docker load`.

use std::path::PathBuf;
use std::time::Instant;

use plimsoll_base::{Bases, Mirror, cache_dir};
use plimsoll_image::{Store, handover::Handover};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    plimsoll_sandbox::init_if_requested();
    let mut args = std::env::args().skip(1);
    let home = PathBuf::from(args.next().ok_or("a home directory is needed")?);
    let store = Store::open(home.join("store"))?;
    let bases = Bases::new(&store, cache_dir(&home), Some(Mirror::find(None)?));
    for name in args {
        let started = Instant::now();
        let made = bases
            .make(&name, &|progress| eprintln!("{:6.2} {progress:?}", started.elapsed().as_secs_f64()))?;
        let (id, bytes) = (made.image.id, made.image.bytes);
        let file = std::fs::File::create(home.join(format!("{name}.tar")))?;
        Handover::full(&store, &made.image, &made.image.references)?.write(file)?;
        println!(
            "{name} {id} {bytes} bytes, cached {}, {:.2} s",
            made.cached,
            started.elapsed().as_secs_f64()
        );
    }
    Ok(())
}
