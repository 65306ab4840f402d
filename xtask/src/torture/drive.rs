//! Which disk does a run harm? One of its own: a file, a loop device, ext4. Its power can be cut.
//!
//! The cut is ext4's own (`EXT4_IOC_SHUTDOWN` without flushing its journal): from then on every write and sync of the file system fails, and
//! after it is mounted again it holds what had reached the device, as after a real cut. Needs root and a free loop device.

use crate::rig::command::run;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A mounted file system.
pub struct Drive {
    image: PathBuf,
    mount: PathBuf,
}

impl Drive {
    /// Makes a file system of a size in MiB in a folder and mounts it.
    pub fn create(folder: &Path, mebibytes: u64) -> Result<Drive, String> {
        let (image, mount) = (folder.join("drive.img"), folder.join("drive"));
        std::fs::create_dir_all(&mount).map_err(|error| format!("{}: {error}", mount.display()))?;
        let file = File::create(&image).map_err(|error| format!("{}: {error}", image.display()))?;
        file.set_len(mebibytes << 20).map_err(|error| error.to_string())?;
        let words = ["-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0"];
        run(Command::new("mkfs.ext4").args(words).arg(&image))?;
        let drive = Drive { image, mount };
        drive.mount()?;
        Ok(drive)
    }

    /// Where its files are.
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// Cuts its power.
    pub fn cut_power(&self) -> Result<(), String> {
        /// `_IOR('X', 125, __u32)`.
        const EXT4_IOC_SHUTDOWN: rustix::ioctl::Opcode = 0x8004_587d;
        /// `EXT4_GOING_FLAGS_NOLOGFLUSH`.
        const NO_LOG_FLUSH: u32 = 2;
        let root = File::open(&self.mount).map_err(|error| error.to_string())?;
        // SAFETY: the request reads one 32-bit number through its argument, and that is what it is given.
        let cut = unsafe { rustix::ioctl::ioctl(&root, rustix::ioctl::Setter::<EXT4_IOC_SHUTDOWN, u32>::new(NO_LOG_FLUSH)) };
        cut.map_err(|error| format!("the power of {} cannot be cut (root is needed): {error}", self.mount.display()))
    }

    /// Has the file system meet an error, after which it is read-only until it is mounted again. (`mount -o remount,ro` would be refused
    /// for as long as files are open for writing.)
    pub fn make_read_only(&self) -> Result<(), String> {
        let mounts = std::fs::read_to_string("/proc/mounts").map_err(|error| error.to_string())?;
        let device = mounts.lines().filter_map(|line| line.split_once(' ')).find(|(_, rest)| rest.split(' ').next() == self.mount.to_str());
        let device = device.and_then(|(device, _)| device.strip_prefix("/dev/")).ok_or("the drive is not mounted")?;
        let trigger = format!("/sys/fs/ext4/{device}/trigger_fs_error");
        // The kernel answers the write with the error that it has just made.
        let _ = std::fs::write(&trigger, "1");
        match File::create(self.mount.join("is-it-read-only")) {
            Err(error) if error.kind() == std::io::ErrorKind::ReadOnlyFilesystem => Ok(()),
            other => Err(format!("{} is not read-only although an error was asked for in {trigger}: {other:?}", self.mount.display())),
        }
    }

    /// Copies it as it is on the device, beside it, for people to look at. Before that it must be unmounted, or its power cut.
    pub fn copy(&self) -> Result<(), String> {
        run(Command::new("cp").arg("--sparse=always").arg(&self.image).arg(self.image.with_extension("before")))
    }

    /// Unmounts and mounts it again; no file of it may be open.
    pub fn remount(&self) -> Result<(), String> {
        self.unmount()?;
        self.mount()
    }

    fn mount(&self) -> Result<(), String> {
        run(Command::new("mount").args(["-o", "loop,errors=remount-ro"]).arg(&self.image).arg(&self.mount))
            .map_err(|error| format!("{error}\nmounting needs root and a free loop device"))
    }

    fn unmount(&self) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match run(Command::new("umount").arg(&self.mount)) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        let _ = self.unmount();
        let _ = std::fs::remove_file(&self.image);
    }
}
