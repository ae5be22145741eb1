import Anneal
import Foundation
import Testing

/// Commands and flags as typed: one style of error, suggestions, values that begin with a minus.
@Suite struct CommandLineTests {
    @Test(arguments: [
        ("trian", "trian: is not a command of anneal (did you mean train?)"),
        ("finetune", "finetune: is not a command of anneal (did you mean fine-tune?)"),
        ("evaluate", "evaluate: is not a command of anneal (did you mean score?)"),
        ("help foo", "foo: is not a command of anneal (anneal --help lists them)"),
        ("help trian", "trian: is not a command of anneal (did you mean train?)"),
        ("--lr 0.1", "--lr: is where a command is expected"),
        ("train --epochs 3", "--epochs: is not a flag of anneal train (did you mean --num-epochs?)"),
        ("train --learning-rate 1", "--learning-rate: is not a flag of anneal train (did you mean --lr?)"),
        ("train --learning_rate=1", "--learning_rate: is not a flag of anneal train (did you mean --lr?)"),
        ("train -lr 1", "-lr: is not a flag of anneal train (did you mean --lr?)"),
        ("train --momentum 1", "did you mean --mom?"), ("train --weight-decay 1", "did you mean --wd?"),
        ("train --workers 2", "did you mean --data-nthreads?"), ("train --batchsize 2", "did you mean --batch-size?"),
        ("train --dpeth 2", "--dpeth: is not a flag of anneal train (did you mean --num-layers?)"),
        ("train --momentun 1", "--momentun: is not a flag of anneal train (did you mean --mom?)"),
        ("train -v", "did you mean anneal --version?"), ("runs -v", "did you mean anneal --version?"),
        ("train -b 64", "did you mean --batch-size?"), ("train --quite", "did you mean --quiet?"),
        ("train --depth 2", "did you mean --num-layers?"),
        ("train --mean 1", "did you mean --rgb-mean?"), ("train --optimzer sgd", "did you mean --optimizer?"),
        ("train --device gpu", "there is no such kind of device"), ("train --devices cpu:0,cpu:0", "names cpu:0 twice"),
        ("resume runs/x --epochs 4", "did you mean --num-epochs?"),
        ("train --lr", "--lr: has no value (write --lr RATE)"),
        ("train --lr --mom 0.9", "--lr: has no value"), ("train --rgb 1", "--rgb: could be --rgb-mean, --rgb-std"),
        ("train --lr abc", "--lr abc: is not a number"), ("train --batch-size 1.5", "is not a whole number"),
        ("train --seed -1", "--seed -1: is out of range"), ("train --lr-schedule cosinus", "did you mean cosine?"),
        ("train --nesterov=1", "--nesterov: takes no value"),
        ("train lenet", "lenet: is not expected here (did you mean --network lenet?)"),
        ("train leneet", "did you mean --network lenet?"), ("train lr=0.1", "did you mean --lr=0.1?"),
        ("find-lr cosine", "did you mean --lr-schedule cosine?"),
        ("recipes cifar10-fsat", "cifar10-fsat: is not known (did you mean cifar10-fast?"),
        ("verify-resume trian --steps 4", "trian: is not a folder (did you mean train?)"),
        ("--generate-completion-script bsh", "did you mean bash or zsh? it is bash, zsh or fish"),
        ("train --network resnet50", "did you mean --network resnet --num-layers 50?"),
        ("train --optimizer sdg", "did you mean sgd?"), ("train --recipe cifar-modern", "did you mean cifar10-modern?"),
        ("train --lr=-0.1", "--lr: is -0.1 (it must not be negative)"), ("train --lr -0.1", "--lr: is -0.1"),
        ("train --mom -1", "--mom: is -1.0"), ("train --top-k", "--top-k: has no value"),
        ("score", "--model: is missing (give --model MODEL"), ("resume", "RUN-FOLDER: is missing"),
        ("import-mnist --images a --labels b c d", "d: is not expected here"),
        ("train --config=", "--config: is not a file name"), ("predict --model m -5.jpg", "write ./-5.jpg"),
        ("train --lr-patience -3", "--lr-patience: is -3"),
        ("train --load-epoch lats", "--load-epoch lats: is neither a number nor best or last (did you mean last?"),
        ("score --model m --load-epoch Best", "did you mean best?"),
        ("train --load-epoch best --run-folder no-such-folder", "(give --model-prefix"),
        ("train --lr-schedule cosine --lr-step-epochs 5", "--lr-step-epochs 5: is for the schedule steps"),
        ("train --lr-schedule cosine --lr-step-epochs=", "--data-train: is missing"),
        ("train --recipe mxnet-2017 --lr-schedule cosine", "--data-train: is missing"),
        ("train --recipe cifar10-fast --lr-schedule steps", "--data-train: is missing"),
        ("train --macrobatch-size -5", "--macrobatch-size: is -5"),
        (
            "train --optimizer lbsgd --macrobatch-size 256 --lr-schedule cosine",
            "cannot be combined with --lr-schedule cosine"
        ),
    ]) func oneLineInOneStyle(_ arguments: String, _ expected: String) throws {
        let run = Tool.answer(arguments.split(separator: " ").map(String.init))
        #expect(run.status == 64 && run.output.isEmpty, "\(run)")
        #expect(run.errors.hasPrefix("anneal: error: ") && run.errors.contains(expected), "\(run.errors)")
        #expect(run.errors.split(separator: "\n").count == 1)
    }

    @Test func pathsOfRuns() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try Files.makeFolder(tool.path("runs/2026-11-23_10-00-00-train"))
        for typed in ["runz/2026-11-23_10-00-00-train", "2026-11-23_10-00-00-train"] {
            let run = try tool.run(["resume", typed])
            #expect(run.status == 1 && run.errors.contains("did you mean runs/2026-11-23_10-00-00-train?"), "\(run)")
        }
        let score = try tool.run(["score", "--model", "runs/2026-11-23_10-00-00-trian", "--data-val", "val.rec"])
        #expect(score.status == 1 && score.errors.contains("did you mean runs/2026-11-23_10-00-00-train?"), "\(score)")
    }

    /// MXNet's own defaults are among them; every flag with a value accepts one with a minus, and none crashes.
    @Test func valuesMayBeginWithAMinus() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 60)
        try tool.writeRecords("val", count: 20)
        let accepted = [
            "--min-crop-size", "-1", "--max-crop-size", "-1", "--lr-step-epochs", "-1,2", "--num-epoch", "1",
        ]
        let run = try tool.run(tool.training(1, prefix: "m") + accepted)
        #expect(run.status == 0, "\(run.errors)")
        for flag in try flags("train") where flag.hasSuffix(" N") || flag.hasSuffix("PIXELS") || flag.hasSuffix("X") {
            let name = String(flag.split(separator: " ")[0])
            guard !["--load-epoch", "--lr-mult", "--wd-mult"].contains(name) else { continue }
            // Refused before the data is opened; most need no process.
            let checked = Tool.answer(["train", "--data-train", tool.path("none.rec"), name, "-2"])
            guard checked.status != 64 || !checked.errors.contains("anneal: error: \(name)") else { continue }
            let run = try tool.run(tool.training(1, prefix: "m") + [name, "-2"])
            #expect(run.status == 0 || run.status == 64 || run.status == 1, "\(name): \(run)")
            #expect(
                run.status == 0 || run.errors.contains("anneal: error: ") && run.errors.contains(name), "\(run.errors)")
        }
    }

    /// `--lr RATE` and the like, as help shows them.
    private func flags(_ command: String) throws -> [String] {
        Tool.answer([command, "--help-all"]).output.split(separator: "\n").filter { $0.hasPrefix("  --") }
            .compactMap { $0.dropFirst(2).firstMatch(of: /--[a-z0-9-]+( [^ ]+)?/).map { String($0.output.0) } }
    }

    @Test func impossibleMacrobatches() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 96)
        try tool.writeRecords("val", count: 20)
        func run(_ flags: [String]) throws -> Tool.Result {
            try tool.run(tool.training(2, prefix: "m") + ["--optimizer", "lbsgd"] + flags)
        }
        let large = try run(["--macrobatch-size", "1000"])
        #expect(large.status == 64 && large.errors.contains("takes 32 updates, but the run has 6"), "\(large.errors)")
        let odd = try run(["--macrobatch-size", "64", "--warmup-epochs", "1.5"])
        #expect(odd.status == 64 && odd.errors.contains("--warmup-epochs 1.5: is not a whole number"), "\(odd.errors)")
        #expect(
            try run(["--macrobatch-size", "64", "--warmup-epochs", "50%"]).errors.contains("within 1 epoch (linear)"))
    }

    @Test func oneClassHasNoTopK() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 40, labels: 1)
        try tool.writeRecords("val", count: 20, labels: 1)
        func run(_ classes: Int, _ k: Int) throws -> Tool.Result {
            try tool.run(
                tool.training(1, prefix: "m").map { $0 == "3" ? "\(classes)" : $0 } + ["--top-k", "\(k)"])
        }
        #expect(try run(1, 2).errors.contains("--top-k: is 2, but the network has one class (leave it out)"))
        #expect(try run(2, 3).errors.contains("--top-k: is 3 (it must be 2, or 0 for none)"))
        #expect(
            try run(5, 6).errors.contains("--top-k: is 6 (it must be 2 to 5, the number of classes, or 0 for none)"))
        #expect(try run(5, -2).status == 64)
    }

    /// Three batches make one update; its learning rate is 1 + (3 - 1) * 3 / (5 * 3) = 1.4 times --lr.
    @Test(arguments: [(["--warmup-epochs", "5"], "0.07"), (["--warmup-epochs", "0"], "0.15"), ([], "0.07")])
    func macrobatches(_ warmUp: [String], _ rate: String) throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 96)
        try tool.writeRecords("val", count: 20)
        let plain = ["--mom", "0", "--wd", "0", "--lr-factor", "1"]
        let large = ["--optimizer", "lbsgd", "--macrobatch-size", "96"] + warmUp
        let run = try tool.run(tool.training(1, prefix: "a") + plain + large)
        #expect(run.status == 0 && run.errors.contains("weights change once in 3 updates"), "\(run.errors)")
        let same = try tool.run(tool.training(1, prefix: "b") + plain + ["--accumulate", "3", "--lr", rate])
        #expect(same.status == 0, "\(same.errors)")
        let first = try Checkpoint.load(prefix: tool.path("a"), epoch: 1).arguments
        let second = try Checkpoint.load(prefix: tool.path("b"), epoch: 1).arguments
        for (name, value) in first {
            let other = try #require(second[name])
            let difference = zip(value.elements, other.elements).map { abs($0 - $1) }.max() ?? 0
            #expect(difference < 1e-6, "\(name): \(difference)")
        }
    }
}
