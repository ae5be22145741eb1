import Anneal
import Foundation

/// A job of several processes: its hosts, its command, and its starts.
struct LaunchedJob {
    private let flags: Launch
    private let hosts: [JobHost]
    private let binary: String
    private let folder: String
    /// The command's words; the name anneal stands for this program.
    private let words: [String]
    /// Where a training command saves, so that it can be restarted from there; nil for other commands.
    private let runFolder: String?
    /// The data that a training command names.
    private let data: [String]

    init(_ flags: Launch, hosts: [JobHost]) throws {
        self.flags = flags
        self.hosts = hosts
        if Set(hosts.map(\.port)).count > 1 {
            throw AnnealError(
                "hosts", "have other ports, and mpirun takes one for all of them",
                suggestion: "write them into ~/.ssh/config, and the names alone into the hosts file")
        }
        binary = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        folder = flags.syncDstDir ?? FileManager.default.currentDirectoryPath
        var words = Array(flags.command.drop { $0 == "--" })
        let isOwn = FilePath(words[0]).name.description == "anneal"
        if isOwn { words[0] = binary }
        var runFolder: String?
        if isOwn, words.count > 1, ["train", "fine-tune"].contains(words[1]) {
            guard words.contains(where: { $0.hasPrefix("--kv-store") }) else {
                throw UsageError(
                    "anneal \(words[1])", "says nothing of the other processes",
                    suggestion: "give it --kv-store dist_sync")
            }
            // All starts write to the same folder.
            if let given = Self.value(of: "--run-folder", in: words) {
                runFolder = given
            } else {
                let path = RunFolder.defaultPath(command: words[1])
                words += ["--run-folder", path]
                runFolder = path
            }
        } else if isOwn, words.count > 2, words[1] == "resume" {
            runFolder = words[2]
        }
        if flags.restarts > 0, runFolder == nil {
            throw UsageError("--restarts", "is of a training", suggestion: "leave it out")
        }
        self.words = words
        self.runFolder = runFolder
        data = isOwn ? ["--data-train", "--data-val"].compactMap { Self.value(of: $0, in: words) } : []
    }

    /// The accelerators that the command names. Errors in a list are reported by the processes.
    private var accelerators: [DeviceName] {
        let names = try? Self.value(of: "--gpus", in: words).map { try Device.list(gpus: $0) }
        return (names ?? nil ?? Self.value(of: "--devices", in: words)).flatMap { try? DeviceName.list($0) } ?? []
    }

    /// The last one counts, as in the command itself.
    private static func value(of flag: String, in words: [String]) -> String? {
        for index in words.indices.reversed() {
            if words[index] == flag, index + 1 < words.count { return words[index + 1] }
            if words[index].hasPrefix("\(flag)=") { return String(words[index].dropFirst(flag.count + 1)) }
        }
        return nil
    }

    func run() throws {
        if let target = flags.syncDstDir { try synchronise(to: target) }
        var words = words, left = flags.restarts, isOwnRecord = true
        while true {
            let isRestart = left < flags.restarts, (ready, hasRecord) = try preflight(isRestart: isRestart)
            // The record of another run, which the training refuses to replace; 'resume' is repeated with its flags.
            if !isRestart, hasRecord { isOwnRecord = false }
            if isRestart, isOwnRecord, let runFolder {
                words = hasRecord ? [binary, "resume", runFolder, "--kv-store", "dist_sync"] : self.words
                if !hasRecord {
                    printError("No host that answers has the run's folder \(runFolder): training starts anew")
                }
            }
            let most = HostsFile.most(ready) ?? flags.numWorkers, processes = min(flags.numWorkers, most)
            if processes < flags.numWorkers, isRestart {
                printError("\(processes) of \(flags.numWorkers) processes find a place on the hosts that are left")
            }
            guard processes == flags.numWorkers || isRestart,
                let slots = HostsFile.slots(ready, processes: processes)
            else {
                throw AnnealError(
                    "-n \(flags.numWorkers)", "the hosts have slots for \(most)",
                    suggestion: "raise slots= in the hosts file, or lower -n")
            }
            let status = try start(words, slots, processes)
            if status == 0 { return }
            // A process was asked to stop, and all have saved. Other signals are failures.
            let asking = [SIGHUP, SIGINT, SIGTERM, SIGUSR1].first { status == 128 + $0 }
            if let asking { throw Interrupted(signal: asking, suggestion: suggestion(resuming: runFolder)) }
            // Wrong flags stay wrong.
            guard left > 0, runFolder != nil, status != EX_USAGE else {
                throw AnnealError(
                    "the job", "ended with status \(status)",
                    suggestion: suggestion(resuming: runFolder))
            }
            left -= 1
            printError("The job ended with status \(status); it is started again (\(left.counted("restart")) left)")
        }
    }

    private func suggestion(resuming folder: String?) -> String {
        guard let folder else { return "what it has written is there" }
        var words = ["anneal", "launch", "-n", "\(flags.numWorkers)"]
        if let hostfile = flags.hostfile { words += ["-H", hostfile] }
        if flags.launcher == .slurm { words += ["--launcher", "slurm"] }
        if flags.rsh != "ssh" { words += ["--rsh", flags.rsh] }
        if let target = flags.syncDstDir { words += ["--sync-dst-dir", target] }
        words += ["anneal", "resume", folder]
        return "to continue, run: \(words.map(shellQuoted).joined(separator: " "))"
    }

    /// Checks the hosts that the processes need, or for a restart all.
    /// - Returns: the hosts that are ready, one that has the record of the run first; and whether there is one.
    private func preflight(isRestart: Bool) throws -> (ready: [JobHost], hasRecord: Bool) {
        guard flags.launcher != .slurm else {
            return (hosts, runFolder.map { Files.exists(RunFolder(existing: $0).arguments) } ?? false)
        }
        let preflight = Preflight(
            shell: flags.rsh.split(separator: " ").map(String.init), binary: binary, folder: folder,
            devices: accelerators, data: data, runFolder: runFolder)
        guard let here = preflight.here() else {
            throw AnnealError("this host", "gives no answer to a shell's commands", code: .internalDefect)
        }
        // After a failure another host may take the place of one that is gone.
        let needed = HostsFile.slots(hosts, processes: flags.numWorkers) ?? hosts.map { ($0, $0.slots ?? 1) }
        let spare = isRestart ? hosts.filter { host in !needed.contains { $0.host == host } } : []
        let slots = needed + spare.map { ($0, 1) }
        var ready: [JobHost] = [], table: [[String]] = [], hasRecord = false
        for (host, count) in slots {
            let (findings, report) = preflight.look(at: host, slots: count, isFirst: ready.isEmpty, here: here)
            // Too few cores make it slow, not wrong.
            let bad = findings.filter { !$0.isGood && $0.what != "cores" }
            table += findings.filter { !$0.isGood }.map {
                [$0.host, $0.what, $0.what == "cores" ? "slow" : "no", $0.text]
            }
            guard bad.isEmpty else { continue }
            // The first one's process writes, and reads what was saved.
            if !hasRecord, report?.hasRecord == true {
                hasRecord = true
                ready.insert(host, at: 0)
            } else {
                ready.append(host)
            }
        }
        if !table.isEmpty {
            var shown = TextTable(["host", "what", "", "found"])
            for row in table { shown.add(row) }
            printError(shown.text)
        }
        guard isRestart ? ready.count >= flags.minHosts : ready.count == slots.count else {
            throw AnnealError(
                "hosts", "\(slots.count - ready.count) of \(slots.count) are not ready for the job",
                suggestion: isRestart ? "--min-hosts allows fewer" : "see the table above")
        }
        return (ready, hasRecord)
    }

    /// ssh, or what replaces it, with the hosts' port.
    private var shell: String { flags.rsh + (hosts.first?.port.map { " -p \($0)" } ?? "") }

    /// Copies the current folder to all hosts, this one included.
    private func synchronise(to target: String) throws {
        // Nobody answers questions.
        let shell = flags.rsh == "ssh" ? "\(shell) -o BatchMode=yes -o ConnectTimeout=5" : shell
        for host in hosts {
            let isHere = Preflight.Report.isThisHost(host.name)
            if isHere, Files.absolute(target) == Files.workingFolder { continue }
            let make = ["mkdir", "-p", shellQuoted(target)]
            for command in [
                isHere
                    ? ["mkdir", "-p", target]
                    : shell.split(separator: " ").map(String.init) + [host.name, make.joined(separator: " ")],
                ["rsync", "-azs"] + (isHere ? ["./", "\(target)/"] : ["-e", shell, "./", "\(host.name):\(target)/"]),
            ] {
                let (status, output) = Preflight.run(command)
                guard status == 0 else {
                    let message = output.trimmingCharacters(in: .newlines)
                    throw AnnealError(
                        "\(command[0] == "rsync" ? "rsync" : "mkdir") to \(host.name)",
                        message.isEmpty ? "ended with status \(status)" : message, suggestion: "see its message")
                }
            }
        }
    }

    /// - Returns: the exit status; 128 and the signal's number if a signal ended it.
    private func start(_ words: [String], _ slots: [(host: JobHost, slots: Int)], _ processes: Int) throws -> Int32 {
        let environment = try variables()
        var command: [String]
        var hostsFile: String?
        defer { if let hostsFile { Files.remove(hostsFile) } }
        if flags.launcher == .slurm {
            // By env, since srun would divide values at commas.
            command = ["srun", "--mpi=pmix", "-n", "\(processes)", "--export=ALL"]
            if !environment.isEmpty { command = ["env"] + environment.map { "\($0)=\($1)" } + command }
        } else {
            // Other bindings give every process of a host the same core.
            command = ["mpirun", "-np", "\(processes)", "--bind-to", "none", "--oversubscribe"]
            // Open MPI 4.1.4 sometimes crashes when it puts a map of the cores, which is not needed here, into shared
            // memory.
            command += ["--mca", "rtc_hwloc_vmhole", "none"]
            if geteuid() == 0 { command.append("--allow-run-as-root") }
            // When one has failed, the others have a moment to report it.
            command += ["--mca", "odls_base_sigkill_timeout", "3"]
            if !slots.allSatisfy({ Preflight.Report.isThisHost($0.host.name) }) {
                // An unpredictable name, so that nobody can create the file first.
                let path = NSTemporaryDirectory() + "anneal-hosts-\(UUID().uuidString)"
                let text = slots.map { "\($0.host.name) slots=\($0.slots)\n" }.joined()
                try Files.writeAtomically(Data(text.utf8), to: path)
                hostsFile = path
                command += ["--hostfile", path, "--mca", "plm_rsh_agent", shell]
                // A host that is cut off is noticed after 20 seconds of silence.
                for (name, value) in [("time", 8), ("intvl", 4), ("probes", 3)] {
                    command += ["--mca", "oob_tcp_keepalive_\(name)", "\(value)"]
                }
            }
            if folder != Files.workingFolder { command += ["--wdir", folder] }
            for (name, value) in environment { command += ["-x", "\(name)=\(value)"] }
        }
        return try wait(command + words)
    }

    private func variables() throws -> [(String, String)] {
        let here = ProcessInfo.processInfo.environment
        return try flags.env.map { name in
            guard let value = here[name] else {
                throw UsageError(
                    "--env \(name)", "is not set here", suggestion: "set it, or write --env-worker \(name):VALUE")
            }
            return (name, value)
        }
            + flags.envWorker.map { pair in
                let parts = pair.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                return (String(parts[0]), String(parts[1]))
            }
    }

    private func wait(_ command: [String]) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardInput = FileHandle.nullDevice
        // Only this process receives the signal. mpirun would kill the others on SIGINT; it forwards SIGUSR1, on which
        // they save and stop.
        let interrupt = Interrupt()
        do { try process.run() } catch {
            throw AnnealError(command[0], "cannot be started: \(error.localizedDescription)", code: .notFound)
        }
        var asked = false
        let own = OwnProcesses(of: process.processIdentifier, named: FilePath(words[0]).name.description)
        while process.isRunning {
            usleep(100_000)
            if own.haveBeenGone(for: 20) {
                // mpirun waits a quarter of an hour for a host that no longer answers.
                kill(process.processIdentifier, SIGKILL)
            }
            if interrupt.check(), !asked {
                asked = true
                kill(process.processIdentifier, SIGUSR1)
            }
        }
        if process.terminationStatus == 127 {
            throw AnnealError(
                flags.launcher == .slurm ? "srun" : "mpirun", "is not there",
                suggestion: flags.launcher == .slurm ? "start it within Slurm" : "apt-get install openmpi-bin",
                code: .notFound)
        }
        if asked { throw interrupt.interrupted(suggestion: suggestion(resuming: runFolder)) }
        return process.terminationReason == .uncaughtSignal
            ? 128 + process.terminationStatus : process.terminationStatus
    }
}

extension HostsFile {
    /// The number of processes that the hosts can run together; nil if one has no limit.
    static func most(_ hosts: [JobHost]) -> Int? {
        hosts.contains { $0.slots == nil } ? nil : hosts.reduce(0) { $0 + ($1.slots ?? 0) }
    }
}
