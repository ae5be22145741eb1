import Anneal
import Foundation
import Testing

/// Help, manual pages and completion, all generated from the parser's description.
@Suite struct HelpTests {
    private static let groups = [
        "Data:", "Network:", "Optimizer:", "Schedule:", "Augmentation:", "Labels:", "Evaluation:", "Saving:",
        "Progress:", "Machine:",
    ]

    private func help(_ arguments: [String], columns: Int = 80) -> String {
        let answer = Tool.answer(arguments, columns: columns)
        #expect(answer.status == 0 && answer.errors.isEmpty, "\(answer)")
        return answer.output
    }

    private func lines(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    private func commands() -> [String] {
        lines(help([])).drop { $0 != "Commands:" }.dropFirst().prefix { !$0.isEmpty }
            .filter { !$0.hasPrefix("   ") }.map { String($0.split(separator: " ")[0]) }
    }

    /// The long names without the dashes.
    private func flags(_ text: String) -> [String] {
        lines(text).filter { $0.hasPrefix("  --") }.compactMap {
            $0.firstMatch(of: /--([a-z0-9-]+)/).map { String($0.output.1) }
        }
    }

    @Test(arguments: ["train", "fine-tune"]) func groupsInTheOrderOfUse(_ command: String) throws {
        let all = help([command, "--help-all"]), short = help([command, "--help"])
        #expect(lines(all).filter(Self.groups.contains) == Self.groups)
        #expect(lines(short).filter(Self.groups.contains) == Self.groups)
        #expect(lines(short).count < 110 && lines(short).count * 2 < lines(all).count)
        #expect(short.contains("'anneal \(command) --help-all' shows all"))
        #expect(Set(flags(short)).isSubset(of: flags(all)))
        // Only flags that set others are in no group, and nothing is shown twice.
        let own = lines(all).prefix { $0 != "Data:" }.joined(separator: "\n")
        #expect(flags(own) == ["recipe", "config"])
        #expect(Set(flags(all)).count == flags(all).count)
        #expect(help(["help", command]) == short && help([command, "-h"]) == short)
        #expect(help(["help", command, "--help-all"]) == all)
        #expect(help([command, "--lr", "0.1", "--help"]) == short)
    }

    /// At every width no line is longer, unless it is a single word, and the words are the same as on a wide terminal.
    @Test func linesFit() throws {
        func words(_ text: String) -> [Substring] { text.split(whereSeparator: \.isWhitespace).filter { $0 != "\\" } }
        for command in commands() {
            let wide = words(help([command, "--help-all"], columns: 10_000))
            for columns in [40, 80] {
                let text = help([command, "--help-all"], columns: columns)
                for line in lines(text) where line.count > columns {
                    #expect(columns < 80 && words(line).count <= 3, "\(command): \(line)")
                }
                #expect(words(text) == wide, "\(command)")
            }
        }
    }

    /// The terminal's width, or 80 if it is unknown.
    @Test func theToolAsksForTheWidth() throws {
        let tool = try Tool()
        defer { tool.remove() }
        for (columns, width) in [("", 80), ("50", 50)] {
            let run = try tool.run(["train", "--help-all"], environment: ["COLUMNS": columns])
            #expect(run.status == 0 && run.output == help(["train", "--help-all"], columns: width))
        }
    }

    @Test func valuesAreNotBroken() throws {
        for columns in stride(from: 40, through: 100, by: 6) {
            let text = help(["augment-preview", "--help-all"], columns: columns)
            for line in lines(text) {
                #expect(!line.hasSuffix("--min-random-area") && !line.hasSuffix("--brightness"), "\(line)")
            }
        }
    }

    /// Examples can be pasted into a shell.
    @Test func examplesAreCommands() throws {
        let text = help(["train", "--help"])
        #expect(
            text.contains(
                """
                  anneal train --network resnet --num-layers 20 \\
                      --data-train cifar10_train.rec --data-val cifar10_val.rec \\
                      --num-epochs 30 --lr-step-epochs 15,25 --random-crop 1 --random-mirror 1

                """), "\(text)")
    }

    @Test func manualPages() throws {
        let tool = try Tool()
        defer { tool.remove() }
        #expect(try tool.run(["man-pages", "man1"]).status == 0)
        let files = try FileManager.default.contentsOfDirectory(atPath: tool.path("man1")).sorted()
        #expect(files == (["anneal.1"] + commands().map { "anneal-\($0).1" }).sorted())
        let page = String(decoding: try tool.bytes("man1/anneal-train.1"), as: UTF8.self)
        #expect(page.contains(".SH OPTIMIZER\n") && page.contains("\\fB\\-\\-lr\\fR \\fIRATE\\fR\nLearning rate"))
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/groff") else { return }
        // Warnings name the file.
        let groff = try tool.shell("groff -man -Tutf8 -ww -z man1/*").output
        #expect(groff.isEmpty, "\(groff)")
    }

    /// A real bash completes: known values, files, folders, flags and commands.
    @Test func bash() throws {
        let cases: [([String], [String])] = [
            (["anneal", "tr"], ["train"]),
            (["anneal", "train", "--network", "resne"], ["resnet", "resnet-v1", "resnetv1", "resnext"]),
            (["anneal", "train", "--network", "=", "vg"], ["vgg"]),
            (["anneal", "train", "--optimizer", "ada"], ["adadelta", "adagrad", "adam", "adamax", "adamw"]),
            (["anneal", "fine-tune", "--lr-schedule", ""], ["cosine", "linear", "one-cycle", "plateau", "steps"]),
            (["anneal", "train", "--lr-schedule", "="], ["cosine", "linear", "one-cycle", "plateau", "steps"]),
            (["anneal", "train", "--recipe", "cifar10-f"], ["cifar10-fast"]),
            (["anneal", "recipes", "cifar10-f"], ["cifar10-fast"]),
            (["anneal", "train", "--initializer", "xa"], ["xavier"]),
            (["anneal", "train", "--data-train", "tr"], ["train.rec", "trees"]),
            (["anneal", "resume", "tr"], ["trees"]),
            (["anneal", "train", "--lr", "0.1", "--num-ep"], ["--num-epochs"]),
            (["anneal", "help", "fi"], ["find-lr", "fine-tune"]),
            (["anneal", "help", "rec", "in"], ["index", "info"]),
            (["anneal", "help", "train", ""], []),
            // No completions of its own: bash then completes files, as the script requests.
            (["anneal", "train", "--model-prefix", "tr"], []),
            (["anneal", "predict", "tr"], ["train.rec", "train.txt", "trees"]),
        ]
        let tool = try Tool()
        defer { tool.remove() }
        for name in ["train.rec", "train.txt"] { try Files.writeAtomically(Data(), to: tool.path(name)) }
        try Files.makeFolder(tool.path("trees"))
        let script = help(["--generate-completion-script", "bash"])
        try Files.writeAtomically(Data(script.utf8), to: tool.path("complete.sh"))
        // One shell for all, since reading the script takes time.
        let completions = cases.map { words, _ in
            let list = words.map { "'\($0)'" }.joined(separator: " ")
            let current = words.last == "=" ? "" : words.last ?? "", previous = words[words.count - 2]
            return """
                COMP_WORDS=(\(list)); COMP_CWORD=\(words.count - 1); COMPREPLY=()
                COMP_LINE='\(words.joined(separator: " "))'; COMP_POINT=${#COMP_LINE}
                _anneal_joined anneal '\(current)' '\(previous)'; echo "${COMPREPLY[*]}"
                """
        }
        let output = try tool.shell(
            ". ./complete.sh; complete -p anneal\n" + completions.joined(separator: "\n")
        ).output
        let found = lines(output)
        #expect(found.first == "complete -o bashdefault -o default -o filenames -F _anneal_joined anneal")
        for ((words, expected), line) in zip(cases, found.dropFirst()) {
            #expect(line.split(separator: " ").map(String.init).sorted() == expected, "\(words): \(line)")
        }
        #expect(found.count == cases.count + 2, "\(output)")
    }

    @Test(arguments: ["--version", "--vers", "-V", "-v"]) func theVersion(_ flag: String) {
        let run = Tool.answer([flag])
        #expect(run.status == 0 && run.output.hasPrefix("anneal ") && run.output.hasSuffix("\n") && run.errors.isEmpty)
        #expect(run.output == Tool.answer(["train", "--version"]).output)
    }

    /// What a user would otherwise look up in MXNet's scripts.
    @Test func defaultsOfTheScripts() {
        let text = help(["train", "--help-all"]).replacing(/\s+/, with: " ")
        for part in [
            "its maximum (default: 0.05 in train, 0.01 in fine-tune)", "(default: 200,250 in train, 20 in fine-tune)",
            "count (default: 300 in train, 30 in fine-tune)",
            "Weight decay (default: 0.0001 in train, 0 in fine-tune)",
            "(default: 3,28,28 in train;",
        ] { #expect(text.contains(part), "\(part)") }
    }

    @Test func scriptsForEachShell() {
        let zsh = help(["--generate-completion-script=zsh"]), fish = help(["--generate-completion-script", "fish"])
        #expect(zsh.contains(":RATE:_files'") && !zsh.contains(":RATE:'"))
        #expect(fish.contains("-l 'lr' -d") && !fish.contains("fka ''"))
        #expect(zsh.contains("'1:command:(train fine-tune "))
        let part = "__anneal_should_offer_completions_for_positional \"anneal help\" -eq 1"
        #expect(fish.contains("\ncomplete -c 'anneal' -n '\(part)' -fa 'train "))
        let wrong = Tool.answer(["--generate-completion-script", "tcsh"])
        #expect(wrong.status == 64 && wrong.errors.contains("'tcsh' is not known (it is bash, zsh or fish)"))
    }
}
