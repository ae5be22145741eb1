import Anneal
import Foundation
import Testing

/// The tool as one of several processes: its outputs, file descriptors, threads, and what other processes do meanwhile.
@Suite struct ProcessTests {
    private func tool() throws -> Tool {
        let tool = try Tool()
        try tool.writeRecords("train", count: 64)
        try tool.writeRecords("val", count: 32)
        return tool
    }

    /// The flags of a training of one epoch, in a folder of its own.
    private func train(_ tool: Tool, _ more: String) -> String {
        "$anneal \(tool.training(1, prefix: "").dropLast(2).joined(separator: " ")) \(more)"
    }

    @Test func brokenOutputEndsNoTraining() throws {
        let tool = try tool()
        defer { tool.remove() }
        // The reader of the second is gone before the first line.
        for (number, output) in ["2>/dev/full", "2> >(:)", "2>&-", "0<&- 1>&- 2>&-"].enumerated() {
            let run = try tool.shell(train(tool, "--run-folder r\(number) \(output)"))
            #expect(run.status == 0, "\(output): \(run.output)")
            #expect(Files.exists(tool.path("r\(number)/model-0001.params")))
            // Output for the closed pipe is not written to any file instead.
            let names = try FileManager.default.contentsOfDirectory(atPath: tool.path("r\(number)"))
            for name in names where !["log.txt", "curves.png"].contains(name) {
                #expect(!String(decoding: try tool.bytes("r\(number)/\(name)"), as: UTF8.self).contains("Curves: "))
            }
        }
    }

    /// A reader that has gone away is not reported as an error; a full disk is.
    @Test func brokenOutputEndsOtherCommands() throws {
        let tool = try tool()
        defer { tool.remove() }
        #expect(try tool.shell(train(tool, "--run-folder r")).status == 0)
        try tool.writeFolder("images", count: 40, classes: ["a"])
        let commands = [
            "summary --network mlp --image-shape 1,12,12", "predict --model r/model --load-epoch 1 images", "recipes",
            "train --help", "export --model r/model --load-epoch 1 --to -",
        ]
        for command in commands {
            // The pipe has no reader when the command starts.
            let quiet = try tool.shell("exec 3> >(:); wait $!; $anneal \(command) >&3")
            #expect(quiet.status == 128 + SIGPIPE, "\(command): \(quiet.status)")
            #expect(!quiet.output.contains("rror"), "\(quiet.output)")
            let full = try tool.shell("$anneal \(command) >/dev/full")
            #expect(full.status == 1 && full.output.contains("No space left on device"), "\(command): \(full)")
        }
        let score = try tool.shell(
            "exec 3> >(:); wait $!; $anneal score --model r/model --load-epoch 1 --data-val val.rec --output s >&3")
        #expect(score.status == 128 + SIGPIPE && Files.exists(tool.path("s/score.json")))
    }

    @Test func whatCannotBeWrittenLosesNoMeasurement() throws {
        let tool = try tool()
        defer { tool.remove() }
        #expect(try tool.shell(train(tool, "--run-folder r")).status == 0)
        let run = try tool.shell("$anneal score --model r/model --load-epoch 1 --data-val val.rec --output val.rec/s")
        #expect(run.status == 1 && run.output.contains("accuracy = "))
        #expect(run.output.contains("val.rec/s: the folder cannot be made: Not a directory"), "\(run.output)")
    }

    /// The signal is pending when the tool starts: it ends the tool as soon as it is unblocked.
    @Test(arguments: [SIGINT, SIGTERM, SIGHUP]) func signalsThatAParentBlockedAreLetThrough(_ number: Int32) throws {
        var attributes = posix_spawnattr_t(), signals = sigset_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        sigaddset(&signals, number)
        // The tool would inherit signals that the test runner ignores.
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let arguments = [try Tool.executable(), "recipes"]
        var process: pid_t = 0, status: Int32 = 0
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        try #require(posix_spawn(&process, arguments[0], nil, &attributes, &words, nil) == 0)
        kill(process, number)
        #expect(waitpid(process, &status, 0) == process)
        #expect(status & 0x7F == number)
    }

    /// ^C is written over the line in progress: the message replaces it.
    @Test func theMessageOfAStopHasALineOfItsOwn() throws {
        let tool = try tool(), terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        defer {
            tool.remove()
            close(terminal)
        }
        // TIOCSPTLCK and TIOCGPTN: what unlockpt and ptsname do.
        var lock: Int32 = 0, number: Int32 = 0
        try #require(ioctl(terminal, 0x4004_5431, &lock) == 0 && ioctl(terminal, 0x8004_5430, &number) == 0)
        let side = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
        try #require(side >= 0)
        let process = Tool.process()
        process.executableURL = URL(fileURLWithPath: try Tool.executable())
        process.arguments = tool.training(1_000_000, prefix: "m")
        process.environment = ProcessInfo.processInfo.environment.merging(["TERM": "xterm"]) { $1 }
        process.currentDirectoryURL = URL(fileURLWithPath: tool.folder)
        (process.standardInput, process.standardOutput) = (FileHandle.nullDevice, FileHandle.nullDevice)
        process.standardError = FileHandle(fileDescriptor: side)
        try process.run()
        close(side)
        var text = "", bytes = [UInt8](repeating: 0, count: 4096), isStopped = false
        // Reading fails when the other side is closed.
        while case let count = read(terminal, &bytes, bytes.count), count > 0 {
            text += String(decoding: bytes[..<count], as: UTF8.self)
            guard !isStopped, Files.exists(tool.path("m-latest.resume")) else { continue }
            isStopped = true
            kill(process.processIdentifier, SIGINT)
        }
        process.waitUntilExit()
        #expect(process.terminationStatus == 130)
        #expect(
            text.contains("\r\u{1B}[JStopping after this step; interrupt again to stop at once."), "\(text.suffix(400))"
        )
    }

    /// Names of folders, records, their index, the run and its model.
    @Test func pathsAreBytes() throws {
        let tool = try tool()
        defer { tool.remove() }
        let run = try tool.shell(
            """
            set -e; mkdir $'d\\xe9'; mv train.rec $'d\\xe9/t\\xe9.rec'; mv train.idx $'d\\xe9/i\\xe9.idx'
            \(train(tool, #"--data-train $'d\xe9/t\xe9.rec' --data-train-idx $'d\xe9/i\xe9.idx'"#)) \
                --run-folder $'r\\xe9' --model-prefix $'r\\xe9/m\\xe9' --profile $'p\\xe9.json'
            $anneal resume $'r\\xe9' --num-epochs 2
            $anneal score --model $'r\\xe9' --load-epoch last --data-val val.rec --output $'s\\xe9'
            $anneal export --model $'r\\xe9/m\\xe9-0002.params' --to $'x\\xe9.onnx'
            $anneal convert --model $'r\\xe9' --load-epoch last --to $'c\\xe9/m'
            $anneal train --config $'r\\xe9/config.yaml' --num-epochs 1 --run-folder again
            """)
        #expect(run.status == 0, "\(run.output)")
        // In readable form once, and never in the system's form.
        #expect(run.output.contains(#"Model:  r\xE9/m\xE9 (checkpoints: best "#), "\(run.output)")
        #expect(!run.output.unicodeScalars.contains { $0.value > 0x10_FDFF })
    }

    @Test func ignoredSignalsStayIgnored() throws {
        let tool = try tool()
        defer { tool.remove() }
        let run = try tool.shell(
            """
            trap '' HUP INT
            \(train(tool, "--run-folder r --num-epochs 100000")) & until [ -e r/model-latest.resume ]; do sleep 0.01; done
            kill -HUP $!; kill -INT $!; kill -TERM $!; wait $!
            """)
        #expect(run.status == 128 + SIGTERM, "\(run.output)")
    }

    @Test func runsOfOneSecondHaveTheirOwnFolders() throws {
        let tool = try tool()
        defer { tool.remove() }
        let run = try tool.shell(
            """
            for i in 1 2 3; do \(train(tool, "")) & done; wait
            model=$(ls -d runs/*train | head -1)/model
            for i in 1 2 3; do $anneal score --model $model --load-epoch 1 --data-val val.rec & done; wait
            ls runs/*/model-0001.params | wc -l; ls runs/*/score.json | wc -l
            """)
        #expect(run.output.hasSuffix("3\n3\n"), "\(run.output)")
    }

    @Test func aRefusedLockLeavesNoFolder() throws {
        let tool = try tool()
        defer { tool.remove() }
        let lock = try FileLock(tool.path("m.lock"), suggestion: "")
        let run = try tool.shell(train(tool, "--model-prefix m"))
        #expect(run.status == 1 && run.output.contains("m.lock: is held by another process"), "\(run.output)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: tool.path("runs")) == [])
        withExtendedLifetime(lock) {}
    }

    @Test func namesReachNoTerminalAsCommands() throws {
        let tool = try tool()
        defer { tool.remove() }
        #expect(try tool.shell(train(tool, "--run-folder r")).status == 0)
        try tool.writeFolder("images", count: 1, classes: ["a\u{1B}[2J"])
        try Files.writeAtomically(Data("\u{1B}]0;x\u{7}\nb\nc\n".utf8), to: tool.path("names"))
        let model = "--model r/model --load-epoch 1"
        let run = try tool.shell(
            """
            $anneal convert \(model) --to n --class-names names; $anneal predict --model n --load-epoch 1 images
            $anneal score --model n --load-epoch 1 --data-val val.rec; $anneal predict \(model) $'no\\e[1m.png'
            """)
        #expect(!run.output.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" }, "\(run.output)")
        #expect(run.output.contains(#"classes: 3, \u001b]0;x\u0007, b, c"#), "\(run.output)")
        #expect(run.output.contains(#"no\x1B[1m.png: "#), "\(run.output)")
        let json = try tool.run(["predict", "--model", "n", "--load-epoch", "1", "images", "--format", "json"])
        #expect(json.output.contains(#""\u001b]0;x\u0007""#))
    }

    /// A library that is loaded before the system's makes calls fail, as certain systems would.
    @Test func systemsThatHaveLess() throws {
        let tool = try tool()
        defer { tool.remove() }
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/system/poor.c").path
        let compiled = try tool.shell("${CC:-clang} -shared -fPIC -o poor.so '\(source)' -ldl")
        guard compiled.status == 0 else {
            withKnownIssue("no C compiler on the path: skipped") { Issue.record("\(compiled.output)") }
            return
        }
        let whole = try tool.shell(train(tool, "--run-folder whole --threads 1"))
        #expect(whole.status == 0, "\(whole.output)")
        func run(_ folder: String, _ more: String, _ environment: [String: String]) throws -> Tool.Result {
            try tool.shell(
                "LD_PRELOAD=./poor.so exec " + train(tool, "--run-folder \(folder) \(more)"),
                environment: environment)
        }
        for (name, code) in [("ENOSYS", ENOSYS), ("ENOLCK", ENOLCK), ("EOPNOTSUPP", EOPNOTSUPP), ("EINVAL", EINVAL)] {
            let warned = try run(name, "", ["POOR_ERRNO": "\(code)"])
            #expect(warned.status == 0, "\(warned.output)")
            #expect(warned.output.components(separatedBy: "has no locks").count == 2, "\(warned.output)")
            #expect(warned.output.components(separatedBy: "cannot sync").count == 2, "\(warned.output)")
        }
        let failed = try run("failed", "", ["POOR_ERRNO": "\(EIO)"])
        #expect(failed.status == 1 && failed.output.contains("Input/output error"), "\(failed.output)")
        #expect(!Files.exists(tool.path("failed")))
        // No thread: the training thread computes and decodes. Two: one of them decodes.
        for threads in [0, 2] {
            let few = try run("threads\(threads)", "", ["POOR_THREADS": "\(threads)", "OMP_NUM_THREADS": "4"])
            #expect(few.status == 0 && few.output.contains("only \(threads) more threads"), "\(few.output)")
            #expect(
                try tool.bytes("threads\(threads)/model-0001.params") == tool.bytes("whole/model-0001.params"))
        }
    }
}
