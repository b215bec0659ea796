//! `cargo xtask cuda toolkit|pack|check FOLDER`: builds for NVIDIA GPUs where there is no toolkit or no GPU.
//!
//! `toolkit` makes a CUDA toolkit of NVIDIA's Python packages; `pack` gathers what was built, with what the
//! ladder compares it with, for a machine that has a GPU and nothing else; `check`, which needs no cargo, runs it
//! there. A machine with a toolkit and a GPU needs none of them: see docs/gpu.md.
//! Deliberately absent: building, which is cargo's.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail, ensure};

/// NVIDIA's packages that together hold a toolkit: of one release, whose driver is the oldest that it runs on.
const PACKAGES: [&str; 8] = [
    "nvidia-cuda-nvcc==13.0.*",
    "nvidia-cuda-crt==13.0.*",
    "nvidia-nvvm==13.0.*",
    "nvidia-cuda-runtime==13.0.*",
    "nvidia-cuda-cccl==13.0.*",
    "nvidia-cuda-nvrtc==13.0.*",
    "nvidia-cublas==13.1.*",
    "nvidia-curand==10.4.0.*",
];

/// The ladders that are climbed on a GPU: packages whose `ladder` test knows devices.
const LADDERS: [&str; 2] = ["ixc-model", "ixc-train"];

/// Of the goldens, what these ladders read.
const GOLDENS: [&str; 5] = ["tiny-vl", "tiny-vl-b", "tiny-gptq", "tiny-4khd", "tiny-2d5"];

/// Runs one of the three.
///
/// # Errors
/// When there is no such word, or a step fails.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<()> {
    match words {
        [word, folder] if word == "toolkit" => toolkit(&absolute(folder)?),
        [word, folder] if word == "pack" => pack(root, &absolute(folder)?),
        [word, folder] if word == "check" => check(&absolute(folder)?),
        _ => bail!("expected toolkit, pack or check, and a folder; found {words:?}"),
    }
}

fn absolute(folder: &str) -> Result<PathBuf> {
    Ok(std::path::absolute(folder)?)
}

fn done(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

fn toolkit(folder: &Path) -> Result<()> {
    let packages = folder.join("packages");
    done(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")))?;
    done(
        Command::new(folder.join("venv/bin/pip"))
            .args(["install", "--quiet", "--no-deps", "--upgrade", "--target"])
            .arg(&packages)
            .args(PACKAGES),
    )?;
    let home = packages.join("nvidia/cu13");
    ensure!(home.join("bin/nvcc").is_file(), "{}: expected bin/nvcc in it", home.display());
    link(Path::new("lib"), &home.join("lib64"))?;
    // Linkers look for names without a version.
    for entry in fs::read_dir(home.join("lib"))? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if let Some((stem, _)) = name.split_once(".so.") {
            link(Path::new(&name), &home.join("lib").join(format!("{stem}.so")))?;
        }
    }
    stub(&home)?;
    let environment = format!(
        "export CUDA_HOME='{home}'\nexport PATH=\"$CUDA_HOME/bin:$PATH\"\n",
        home = home.display()
    );
    fs::write(folder.join("env.sh"), environment)?;
    println!(
        "A toolkit is in {home}. To build ixc with it, for GPUs of compute capability 9.0 (H100, H200):\n  \
         . {env}\n  CUDA_COMPUTE_CAP=90 cargo build --release --features cuda\n\
         To run ixc with its libraries:\n  export LD_LIBRARY_PATH={home}/lib",
        home = home.display(),
        env = folder.join("env.sh").display()
    );
    Ok(())
}

fn link(to: &Path, at: &Path) -> Result<()> {
    if at.symlink_metadata().is_ok() {
        return Ok(());
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(to, at)?;
    #[cfg(not(unix))]
    bail!("{}: links are made on Unix alone", at.display());
    Ok(())
}

/// A libcuda to link with, which a driver brings and no package does: every function says that there is no
/// device. Beside a real one it is never found, since it lies in a folder of its own.
fn stub(home: &Path) -> Result<()> {
    let header = fs::read_to_string(home.join("include/cuda.h"))?;
    let mut names = std::collections::BTreeSet::new();
    let is_name = |word: &&str| {
        word.strip_prefix("cu")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    for word in header.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(is_name) {
        names.insert(word);
    }
    let mut code = String::new();
    for name in names {
        writeln!(code, "int {name}(void) {{ return 100; }} /* CUDA_ERROR_NO_DEVICE */")?;
    }
    let stubs = home.join("lib/stubs");
    fs::create_dir_all(&stubs)?;
    fs::write(stubs.join("cuda.c"), code)?;
    done(
        Command::new("cc")
            .args(["-shared", "-fPIC", "-w", "-Wl,-soname,libcuda.so.1", "-o"])
            .arg(stubs.join("libcuda.so"))
            .arg(stubs.join("cuda.c")),
    )?;
    link(Path::new("libcuda.so"), &stubs.join("libcuda.so.1"))
}

/// What is built for another machine: its flags, behind those of every build.
const BUILDS: [&[&str]; 2] = [
    &["build", "--bin", "ixc", "--bin", "xtask", "--example", "rates"],
    &["test", "--no-run", "--test", "ladder"],
];

fn pack(root: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let mut found = 0;
    for words in BUILDS {
        for (name, executable) in built(root, words)? {
            fs::copy(executable, folder.join(&name))?;
            done(Command::new("strip").arg(folder.join(&name)))?;
            found += 1;
        }
    }
    ensure!(found == LADDERS.len() + 3, "expected {} programs, found {found}", LADDERS.len() + 3);
    let goldens = std::env::var_os("IXC_GOLDENS").map(PathBuf::from);
    let goldens = goldens.unwrap_or_else(|| root.join("../shared/goldens"));
    for name in GOLDENS {
        copy_folder(&goldens.join(name), &folder.join("goldens").join(name))?;
    }
    copy_folder(&root.join("fixtures/tokenizer"), &folder.join("fixtures/tokenizer"))?;
    println!("{}: on a machine with a GPU, ./xtask cuda check .", folder.display());
    Ok(())
}

/// Builds for release with CUDA; the programs that are wanted, by their names in a pack.
fn built(root: &Path, words: &[&str]) -> Result<Vec<(String, PathBuf)>> {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = Command::new(cargo)
        .current_dir(root)
        .args(words)
        .args(["--workspace", "--release", "--features", "ixc/cuda", "--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "cargo {} failed", words.join(" "));
    let mut programs = Vec::new();
    for message in cargo_metadata::Message::parse_stream(output.stdout.as_slice()) {
        let cargo_metadata::Message::CompilerArtifact(artifact) = message? else { continue };
        let Some(executable) = artifact.executable else { continue };
        // path+file:///…/crates/ixc-model#0.1.0
        let package = artifact.package_id.repr.rsplit('/').next().unwrap_or_default().to_owned();
        let package = package.split('#').next().unwrap_or_default();
        let name = match artifact.target.name.as_str() {
            "ladder" if LADDERS.contains(&package) => format!("ladder-{package}"),
            name @ ("ixc" | "xtask" | "rates") if !artifact.profile.test => name.to_owned(),
            _ => continue,
        };
        programs.push((name, executable.into()));
    }
    Ok(programs)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{} is missing", from.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Everything that is to be known of a GPU, each step with its time; ends at the first that fails.
fn check(folder: &Path) -> Result<()> {
    let began = Instant::now();
    let say = |what: &str| println!("=== [{:4} s] {what}", began.elapsed().as_secs());
    let program = |name: &str| {
        let mut command = Command::new(folder.join(name));
        command
            .current_dir(folder)
            .env("LD_LIBRARY_PATH", libraries())
            .env("IXC_GOLDENS", folder.join("goldens"))
            .env("CARGO_MANIFEST_DIR", folder.join("crates/ixc-goldens"));
        command
    };
    say("the GPU");
    done(&mut Command::new("nvidia-smi"))?;
    done(program("rates").arg("cuda"))?;
    for package in LADDERS {
        say(&format!("the ladder of {package}"));
        // Of tables and pictures there is nothing in a pack, and nothing on a device.
        let mut ladder = program(&format!("ladder-{package}"));
        let output = ladder.args(["--nocapture", "--skip", "torch_bicubic"]).output()?;
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        println!("{text}");
        ensure!(output.status.success(), "a rung of {package} failed");
        ensure!(!text.contains("SKIPPED on a GPU"), "the ladder of {package} saw no GPU");
    }
    say("a random model of the 7B's shape");
    let mut init = program("ixc");
    init.args(["init", "--like", "vl-7b", "--dtype", "bf16", "--seed", "1", "--out", "model"]);
    done(init.args(["--tokenizer", "fixtures/tokenizer/tokenizer.model"]))?;
    say("a LoRA step at 490 pixels in bf16");
    let mut step = program("ixc");
    step.args(["bench", "train", "--model", "model", "--kind", "lora", "--device", "cuda"]);
    step.args([
        "--gradient-accumulation-steps",
        "1",
        "--lora-dropout",
        "0",
        "--plora-dropout",
        "0",
    ]);
    step.args(["--warm-up", "3", "--repetitions", "10"]);
    let peak = watching_memory(|| done(&mut step))?;
    println!("memory of the GPU at the most: {peak} MiB");
    say("an answer");
    let mut trace = program("ixc");
    trace.args(["trace", "--model", "model", "--device", "cuda", "--words", "16", "What is this?"]);
    done(&mut trace)?;
    say("all of it passed");
    Ok(())
}

/// Where CUDA's libraries may lie: a toolkit's folders, and NVIDIA's Python packages.
pub(crate) fn libraries() -> String {
    let asked = "import nvidia; print('\\n'.join(nvidia.__path__))";
    let python = Command::new("python3").args(["-c", asked]).output();
    let packages = python.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let packages = packages.unwrap_or_default();
    let mut folders: Vec<String> =
        packages.lines().map(|folder| format!("{folder}/cu13/lib")).collect();
    folders.extend(std::env::var("CUDA_HOME").map(|home| format!("{home}/lib64")));
    folders.push("/usr/local/cuda/lib64".into());
    folders.extend(std::env::var("LD_LIBRARY_PATH"));
    folders.join(":")
}

/// The most MiB that the first GPU held while something ran, looked at twenty times a second.
fn watching_memory(run: impl FnOnce() -> Result<()>) -> Result<u64> {
    let mut watcher = Command::new("nvidia-smi")
        .args(["--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0", "-lms", "50"])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run nvidia-smi")?;
    let lines = BufReader::new(watcher.stdout.take().context("a pipe")?).lines();
    let reader = std::thread::spawn(move || {
        lines.map_while(Result::ok).filter_map(|line| line.trim().parse::<u64>().ok()).max()
    });
    let result = run();
    watcher.kill()?;
    watcher.wait()?;
    result?;
    let most = reader.join().ok().flatten();
    most.context("nvidia-smi told nothing of the GPU's memory")
}
