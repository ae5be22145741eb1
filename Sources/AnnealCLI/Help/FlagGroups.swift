/// How help and manual pages group the flags of commands that have many: in the order of use, the most needed first.
enum FlagGroups {
    struct Group {
        var title: String
        /// Flags that --help shows.
        var usual: [String]
        /// Flags that only --help-all shows.
        var further: [String]
    }

    static let all = [
        Group(
            title: "Data", usual: ["data-train", "data-val", "val-split"],
            further: [
                "class-names", "data-train-idx", "data-val-idx", "num-examples", "resize", "rgb-mean", "rgb-std",
                "on-bad-record", "max-image-pixels", "cache-decoded", "read-ahead", "exact-decoding", "benchmark",
                "test-io",
                "accept-changed-data",
            ]),
        Group(
            title: "Network",
            usual: ["network", "pretrained-model", "num-layers", "image-shape", "num-classes", "load-epoch"],
            further: ["model", "layer-before-fullc", "freeze", "initializer", "whiten", "dtype", "loss-scale"]),
        Group(
            title: "Optimizer", usual: ["optimizer", "batch-size"],
            further: [
                "mom", "wd", "nesterov", "no-nesterov", "accumulate", "macrobatch-size", "warmup-strategy", "clip-norm",
                "clip-gradient", "lr-mult", "wd-mult", "ema-decay", "lookahead", "lookahead-alpha", "reset-optimizer",
            ]),
        Group(
            title: "Schedule",
            usual: ["num-epochs", "lr", "lr-schedule", "lr-step-epochs", "warmup-epochs"],
            further: ["lr-factor", "lr-begin", "lr-end", "lr-patience", "early-stopping"]),
        Group(
            title: "Augmentation", usual: ["pad-size", "random-crop", "random-mirror"],
            further: [
                "pad-mode", "fill-value", "mirror-mode", "random-resized-crop", "min-random-area", "max-random-area",
                "min-random-aspect-ratio", "max-random-aspect-ratio", "min-random-scale", "max-random-scale",
                "min-crop-size", "max-crop-size", "max-random-rotate-angle", "max-random-shear-ratio", "max-random-h",
                "max-random-s", "max-random-l", "brightness", "contrast", "saturation", "pca-noise",
                "use-imagenet-data-augmentation", "trivial-augment", "rand-augment",
                "auto-augment", "random-erasing", "cutout", "erasing-value",
            ]),
        Group(title: "Labels", usual: ["label-smoothing"], further: ["mixup", "cutmix", "class-weights"]),
        Group(title: "Evaluation", usual: ["top-k"], further: ["loss", "tta"]),
        Group(
            title: "Saving", usual: ["model-prefix", "run-folder"],
            further: ["save", "save-period", "save-steps", "on-nan", "on-save-error"]),
        Group(
            title: "Progress", usual: ["quiet"],
            further: ["json", "disp-batches", "monitor", "monitor-pattern", "tensorboard", "histograms", "mlflow"]),
        Group(
            title: "Machine", usual: ["threads", "seed"],
            further: [
                "data-nthreads", "recompute", "gpus", "devices", "shards", "exchange", "tf32", "deterministic",
                "kv-store", "global-batch-size", "fixed-parts", "rank-timeout", "bucket-mb",
                "gc-type", "gc-threshold", "profile",
            ]),
    ]

    /// Commands with more flags than this have groups and a short help.
    private static let many = 20

    static func apply(to command: ToolDescription.Command) -> Bool { command.flags.count > many }

    struct Section {
        /// nil: the command's own flags, which are in no group.
        var title: String?
        var flags: [ToolDescription.Argument]
    }

    /// - Parameter isComplete: whether to include rarely needed flags.
    static func sections(of command: ToolDescription.Command, isComplete: Bool) -> [Section] {
        guard apply(to: command) else { return [Section(title: nil, flags: command.flags)] }
        let grouped = Set(all.flatMap { $0.usual + $0.further })
        let own = Section(title: nil, flags: command.flags.filter { !grouped.contains($0.name) })
        return [own]
            + all.map { group in
                let names = group.usual + (isComplete ? group.further : [])
                return Section(title: group.title, flags: names.compactMap(command.flag))
            }.filter { !$0.flags.isEmpty }
    }
}
