import Anneal

/// Errors about unknown commands and flags, with suggestions.
enum NearMiss {
    static func unknownCommand(_ name: String) -> AnnealError {
        let commands = ToolDescription.overview.map(\.name)
        let others = OtherNames.commands[bare(name)] ?? []
        let near = others.isEmpty ? close(name, commands) : others
        return AnnealError(
            name, "is not a command of anneal",
            suggestion: near.isEmpty ? "anneal --help lists them" : "did you mean \(near.joined(separator: " or "))?")
    }

    /// For a command with subcommands.
    static func unknownPart(_ name: String, of group: ToolDescription.Command) -> AnnealError {
        let names = group.parts.map(\.commandName), near = close(name, names)
        return AnnealError(
            name, "is not a command of anneal \(group.name)",
            suggestion: (near.isEmpty ? "" : "did you mean \(near.joined(separator: " or "))? ")
                + "they are \(names.joined(separator: ", "))")
    }

    static func missingPart(of group: ToolDescription.Command) -> AnnealError {
        AnnealError(
            "anneal \(group.name)", "is a group of commands, and none is named",
            suggestion: "they are \(group.parts.map(\.commandName).joined(separator: ", "))")
    }

    /// - Parameter flag: as typed, with its dashes.
    static func unknownFlag(_ flag: String, of command: ToolDescription.Command) -> AnnealError {
        let near = flags(String(flag.drop { $0 == "-" }), of: command), name = command.name
        if near.isEmpty, !flag.hasPrefix("--"), !command.positionals.isEmpty {
            return AnnealError(
                flag, "is not a flag of anneal \(name)", suggestion: "write ./\(flag) for a file of that name")
        }
        return AnnealError(
            flag, command.passesFlagsOn ? "is not a flag of train or fine-tune" : "is not a flag of anneal \(name)",
            suggestion: near.isEmpty
                ? otherCommand(flag).map { "it is one of \($0)" }
                    ?? "anneal \(command.passesFlagsOn ? "train" : name) --help-all lists them"
                : "did you mean \(near.joined(separator: " or "))?")
    }

    /// The commands that have a flag of this name or meaning; nil if none has.
    private static func otherCommand(_ flag: String) -> String? {
        let name = String(flag.drop { $0 == "-" }), others = OtherNames.flags[bare(name)] ?? []
        for meant in [name] + others {
            let owners = ToolDescription.commands.filter { $0.flag(meant) != nil }.map(\.commandName)
            guard !owners.isEmpty else { continue }
            let commands = owners.prefix(3).map { "anneal \($0)" }.joined(separator: ", ")
            return meant == name ? commands : "\(commands), as --\(meant)"
        }
        return nil
    }

    static func notBeforeACommand(_ flag: String) -> AnnealError {
        AnnealError(
            flag, "is where a command is expected",
            suggestion: "name it first, as in anneal train --lr 0.1; anneal --help lists the commands")
    }

    /// What a flag's name without its dashes may mean, at most three: flags with their dashes, or commands.
    static func flags(_ name: String, of command: ToolDescription.Command) -> [String] {
        let names = CommandLineArguments.flags(of: command).keys.sorted()
        func known(_ others: [String]) -> [String] { others.filter { $0.hasPrefix("anneal ") || names.contains($0) } }
        var near = known(OtherNames.flags[bare(name)] ?? [])
        if near.isEmpty { near = close(name, names) }
        if near.isEmpty, name.count > 3 {
            // `--momentun`: another program's flag, misspelt.
            let others = Spelling.misspelt(bare(name), among: OtherNames.flags.keys.filter { $0.count > 3 }.sorted())
            near = Array(known(others.prefix(1).flatMap { OtherNames.flags[$0] ?? [] }).prefix(3))
        }
        return near.map { $0.hasPrefix("anneal ") ? $0 : "--" + $0 }
    }

    /// What a word without a flag may mean, at most three: a flag whose dashes are missing, or a flag that takes it as
    /// its value, e.g. `lenet` in `--network lenet`.
    static func flags(for word: String, of command: ToolDescription.Command) -> [String] {
        let flags = CommandLineArguments.flags(of: command)
        let name = String(word.prefix { $0 != "=" })
        if flags[name] != nil { return ["--\(word)"] }
        let values = flags.values.sorted { $0.name < $1.name }.map { ($0.name, $0.knownValues) }
        let isKnown = values.contains { $0.1.contains(word) }
        // With three letters, anything would count as a misspelling.
        let meant = isKnown ? [word] : word.count > 3 ? Spelling.misspelt(word, among: values.flatMap(\.1)) : []
        let all = values.flatMap { flag, known in known.filter(meant.contains).map { "--\(flag) \($0)" } }
        return Array(all.prefix(3))
    }

    /// Names that differ only in dashes, then those that contain all of its words, then misspelt ones.
    private static func close(_ name: String, _ names: [String]) -> [String] {
        if let same = names.first(where: { bare($0) == bare(name) }) { return [same] }
        let words = Set(name.lowercased().split { $0 == "-" || $0 == "_" })
        let misspelt = Spelling.misspelt(name, among: names)
        let longer = words.isEmpty ? [] : names.filter { words.isSubset(of: Set($0.split(separator: "-"))) }
        // A single typo is likelier than a forgotten word.
        return longer.isEmpty || (misspelt.count == 1 && name.count > 3 && isOneSlip(name, misspelt[0]))
            ? misspelt : Array(longer.prefix(3))
    }

    private static func isOneSlip(_ name: String, _ other: String) -> Bool {
        abs(name.count - other.count) <= 1 && Set(name).symmetricDifference(Set(other)).count <= 2
    }

    private static func bare(_ name: String) -> String { name.lowercased().filter { $0 != "-" && $0 != "_" } }
}

/// What other programs call the same thing, without dashes. Of several names, those that a command has are used.
private enum OtherNames {
    static let commands = [
        "finetuning": ["fine-tune"], "tune": ["fine-tune"], "transfer": ["fine-tune"], "training": ["train"],
        "fit": ["train"], "test": ["score"], "eval": ["score"], "evaluate": ["score"], "validate": ["score"],
        "val": ["score"], "infer": ["predict"], "inference": ["predict"], "classify": ["predict"],
        "onnx": ["export"], "lrfind": ["find-lr"], "lrfinder": ["find-lr"], "plot": ["plot-curves", "plot-network"],
        "curves": ["plot-curves"], "draw": ["plot-network"], "info": ["summary"], "describe": ["summary"],
        "show": ["summary"], "continue": ["resume"], "restart": ["resume"], "preview": ["augment-preview"],
        "augment": ["augment-preview"], "bench": ["bench-step"], "benchmark": ["bench-step"],
        "mnist": ["import-mnist"], "version": ["--version"], "man": ["help"],
    ]

    static let flags: [String: [String]] = {
        // Each flag with its other names.
        let names: KeyValuePairs<[String], String> = [
            ["anneal --version"]: "v",
            ["num-epochs", "to-epoch"]: "e epochs epoch nepochs maxepochs nbepochs",
            ["load-epoch"]: "epoch checkpoint startepoch beginepoch resumeepoch",
            ["lr"]: "learningrate initlr initiallr baselr maxlr rate alpha",
            ["lr-end"]: "minlr lrmin etamin finallr lrfinal",
            ["lr-begin"]: "warmuplr lrwarmup startlr beginlr",
            ["lr-schedule"]: "scheduler lrscheduler schedule lrpolicy lrmode lrdecaytype",
            ["lr-factor"]: "gamma lrgamma lrdecay decayrate lrdecayrate",
            ["lr-step-epochs"]:
                "milestones lrsteps lrstep stepsize lrmilestones decayepochs lrdecayepochs lrdecayperiod",
            ["lr-patience", "early-stopping"]: "patience patienceepochs",
            ["early-stopping"]: "earlystop",
            ["warmup-epochs"]: "warmup warmupsteps numwarmup",
            ["mom"]: "momentum beta",
            ["wd"]: "weightdecay l2 decay regularization",
            ["optimizer"]: "opt optim solver",
            ["batch-size"]: "b batch bs minibatch batchsz minibatchsize",
            ["macrobatch-size", "accumulate"]: "totalbatchsize effectivebatchsize",
            ["accumulate"]: "gradaccum accumulatesteps accumsteps gradientaccumulationsteps accumulategradbatches",
            ["data-nthreads"]: "workers numworkers nworkers dataworkers dataloaderworkers numthreads nthreads",
            ["threads"]: "cpus cores jobs j nthread ompnumthreads intraop",
            ["devices", "gpus"]: "device devices gpu gpuid gpuids cuda accelerator numgpus",
            ["kv-store"]: "kvstore distbackend",
            ["data-train"]:
                "data dataset datadir dataroot datapath train trainset traindata traindir trainpath input root",
            ["data-val"]:
                "val validation valset valdata valdir validationdata test testdata testset datatest dataset data datadir",
            ["val-split", "data-val"]: "validationsplit testsplit split valratio valfraction",
            ["network"]: "model arch architecture net backbone modelname modeltype",
            ["model", "pretrained-model", "load-epoch"]: "weights checkpointpath modelpath params",
            ["pretrained-model"]: "pretrained model network arch backbone base basemodel",
            ["num-layers"]: "depth layers nlayers",
            ["num-classes"]: "classes nclasses nclass numclass numlabels",
            ["class-names"]: "names synset labelnames labelsfile classfile",
            ["image-shape"]: "shape inputshape inputsize imagesize imgsize size crop datashape imgsz",
            ["rgb-mean"]: "mean means", ["rgb-std"]: "std stds",
            ["tta"]: "testtimeaugmentation views",
            ["top-k"]: "k ntop",
            ["model-prefix", "run-folder"]: "savedir saveprefix checkpointdir ckptdir saveto modeldir",
            ["run-folder", "output", "to"]: "output outputdir out outdir o logdir workdir folder dir",
            ["save-period"]: "savefreq saveevery saveinterval checkpointperiod",
            ["disp-batches"]: "loginterval printfreq logfreq logevery displaybatches verbose",
            ["load-epoch", "anneal resume RUN-FOLDER"]: "resume resumefrom continue restart restore",
            ["run-folder"]: "name runname experiment expname",
            ["random-mirror"]: "flip hflip mirror horizontalflip randomflip fliplr",
            ["random-crop"]: "randcrop",
            ["random-resized-crop"]: "rrc", ["pad-size"]: "pad padding",
            ["max-random-rotate-angle"]: "rotate rotation degrees",
            ["trivial-augment", "rand-augment", "auto-augment"]: "augment augmentation aa aug trivialaugmentwide",
            ["random-erasing"]: "reprob erasing",
            ["label-smoothing"]: "smoothing ls smooth",
            ["mixup"]: "mixupalpha", ["cutmix"]: "cutmixalpha",
            ["clip-norm"]: "clip gradclip clipgrad maxgradnorm gradclipnorm clipgradnorm",
            ["ema-decay"]: "ema modelema averaging",
            ["dtype"]: "amp fp16 half precision mixedprecision float16 bf16",
            ["seed"]: "randomseed manualseed",
            ["recompute"]: "gradientcheckpointing remat",
            ["initializer"]: "init weightinit",
            ["config"]: "cfg configfile settings yaml", ["recipe"]: "preset",
            ["freeze"]: "fixedparams freezelayers frozen", ["format"]: "outputformat json",
        ]
        var result: [String: [String]] = [:]
        for (flags, others) in names {
            for other in others.split(separator: " ") { result[String(other), default: []] += flags }
        }
        return result.mapValues { list in
            list.enumerated().filter { !list[..<$0.offset].contains($0.element) }.map(\.element)
        }
    }()
}
