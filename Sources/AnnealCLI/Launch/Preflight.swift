import Anneal
import Foundation

/// What is checked on every host before a job is started there.
struct Preflight {
    /// Replaces ssh, like Open MPI's `plm_rsh_agent`.
    let shell: [String]
    let binary: String
    let folder: String
    /// The accelerators that the processes of a host divide among themselves, as --devices or --gpus names them.
    var devices: [DeviceName] = []
    /// The data flags of a training command, as typed.
    var data: [String] = []
    /// Where the first process writes; nil if that is unknown.
    var runFolder: String?

    struct Finding {
        let host: String
        let what: String
        let isGood: Bool
        /// The findings, with suggestions where something is wrong.
        let text: String
    }

    /// Asks a host.
    /// - Parameter isFirst: whether it runs the process that writes.
    /// - Returns: what was found, and the host's answer if it gave one.
    func look(at host: JobHost, slots: Int, isFirst: Bool, here: Report) -> (findings: [Finding], report: Report?) {
        let local = Report.isThisHost(host.name)
        let (status, output) = local ? Self.run(["sh", "-c", script]) : Self.run(command(host))
        guard status == 0, let report = Report(output) else {
            let last = output.split(separator: "\n").last.map(String.init) ?? "no answer"
            let finding = Finding(
                host: host.name, what: local ? "shell" : "ssh", isGood: false,
                text: "\(last.prefix(100)); try: \((shell + [host.name, "true"]).joined(separator: " "))")
            return ([finding], nil)
        }
        func finding(_ what: String, _ isGood: Bool, _ text: String, _ fix: String) -> Finding {
            Finding(host: host.name, what: what, isGood: isGood, text: isGood ? text : "\(text); \(fix)")
        }
        let problem = problem(ofDevicesFor: slots, report)
        var findings = [
            finding("devices", problem == nil, problem?.text ?? "are there", problem?.fix ?? ""),
            finding(
                "anneal", report.hash == here.hash,
                report.hash.isEmpty ? "is not there" : String(report.hash.prefix(12)),
                "copy it there: \(binary)"),
            finding(
                "folder", report.hasFolder, report.hasFolder ? "can be written to" : "\(folder) cannot be written to",
                "mount or make it there, or give --sync-dst-dir"),
            finding(
                "clock", abs(report.time - here.time) < 120, "\(Int(report.time - here.time)) s apart", "set it (ntp)"),
            finding(
                "cores", slots <= report.cores, "\(report.cores) for \(slots.counted("process"))",
                "more processes than cores: lower slots= of \(host.name)"),
            finding(
                "Open MPI", report.hasMPI, report.hasMPI ? "is there" : "is missing", "apt-get install openmpi-bin"),
            finding(
                "memory", report.freeMegabytes > 200, "\(report.freeMegabytes) MB free", "end other programs there"),
            finding(
                "ports", report.freePorts >= Self.portsPerProcess * slots, "\(report.freePorts) free",
                "end programs with many connections, or widen net.ipv4.ip_local_port_range"),
        ]
        for (index, path) in data.enumerated() {
            let there = report.data[index] ?? Report.missing, own = here.data[index] ?? Report.missing
            // Data that only other hosts have is compared by the processes.
            let isGood = there != Report.missing && (own == Report.missing || there == own)
            findings.append(
                finding(
                    "data", isGood,
                    there == Report.missing ? "\(path) is not there" : "\(path) is not the same as here",
                    "mount or copy it there, or give --sync-dst-dir"))
        }
        if isFirst, let runFolder {
            findings.append(
                finding(
                    "run folder", report.canWriteRun, "\(runFolder) cannot be made or written to",
                    "give a --run-folder that can"))
            findings.append(
                finding(
                    "disk", report.freeDiskMegabytes > 100, "\(report.freeDiskMegabytes) MB free for \(runFolder)",
                    "make room, or give another --run-folder"))
        }
        return (findings, report)
    }

    /// Ports of Open MPI: for its daemons, and between processes.
    private static let portsPerProcess = 16

    /// What is wrong with the accelerators for a number of processes; nil if nothing is.
    private func problem(ofDevicesFor slots: Int, _ report: Report) -> (text: String, fix: String)? {
        do {
            let all = try (0..<slots).flatMap { try DeviceShare(rank: $0, size: slots).devices(of: devices) }
            guard let last = all.filter({ $0.kind == "cuda" }).map(\.index).max(), last >= report.gpus else {
                return nil
            }
            return (
                "\(report.gpus.counted("GPU")) found, and cuda:\(last) is asked for",
                "name those that are there ('nvidia-smi' lists them)"
            )
        } catch {
            guard let error = error as? AnnealError else { return ("\(error)", "") }
            return ("\(error.place) \(error.problem)", error.suggestion ?? "")
        }
    }

    /// Parsed from a host's answer.
    struct Report {
        var hash = ""
        var cores = 0
        var time = 0.0
        var freeMegabytes = 0
        var hasFolder = false
        var hasMPI = false
        /// NVIDIA's, counted by their device files.
        var gpus = 0
        var freePorts = 0
        var canWriteRun = false
        /// Whether the run's folder has the record of a run.
        var hasRecord = false
        var freeDiskMegabytes = 0
        /// The size of each file, and a hash of its beginning and end.
        var data: [Int: String] = [:]

        static let missing = "missing"

        init?(_ text: String) {
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ").map(String.init)
                guard words.count >= 2, words[0].hasPrefix("anneal-") else { continue }
                switch words[0] {
                case "anneal-hash": hash = words[1]
                case "anneal-cores": cores = Int(words[1]) ?? 0
                case "anneal-time": time = Double(words[1]) ?? 0
                case "anneal-memory": freeMegabytes = (Int(words[1]) ?? 0) / 1024
                case "anneal-folder": hasFolder = words[1] == "yes"
                case "anneal-gpus": gpus = Int(words[1]) ?? 0
                case "anneal-mpi": hasMPI = words[1] == "yes"
                case "anneal-ports": freePorts = Int(words[1]) ?? 0
                case "anneal-run": canWriteRun = words[1] == "yes"
                case "anneal-record": hasRecord = words[1] == "yes"
                case "anneal-disk": freeDiskMegabytes = (Int(words[1]) ?? 0) / 1024
                case "anneal-data" where words.count > 2:
                    if let index = Int(words[1]) { data[index] = words[2...].joined(separator: " ") }
                default: continue
                }
            }
            if cores == 0 { return nil }
        }

        static func isThisHost(_ name: String) -> Bool {
            ["localhost", "127.0.0.1", "::1", ProcessInfo.processInfo.hostName].contains(name)
        }
    }

    /// This host's own answer.
    func here() -> Report? { Report(Self.run(["sh", "-c", script]).output) }

    private func command(_ host: JobHost) -> [String] {
        // A host that accepts the connection but never answers must not delay the others.
        var words = ["timeout", "30"] + shell
        if shell.first == "ssh" { words += ["-o", "BatchMode=yes", "-o", "ConnectTimeout=5"] }
        if let port = host.port { words += ["-p", "\(port)"] }
        return words + [host.name, script]
    }

    /// The command sent to a host's shell.
    private var script: String {
        let binary = shellQuoted(binary), folder = shellQuoted(folder)
        // Paths may be relative to the folder in which the job is started.
        let files = data.enumerated().map { index, path in
            let path = shellQuoted(path), say = "echo anneal-data \(index)"
            return "if [ -f \(path) ]; then \(say) $(stat -L -c %s \(path)) "
                + "$( (head -c 1048576 \(path); tail -c 1048576 \(path)) | sha256sum | cut -c1-16); "
                + "elif [ -d \(path) ]; then \(say) folder $(LC_ALL=C ls -A \(path) | sha256sum | cut -c1-16); "
                + "else \(say) \(Report.missing); fi"
        }
        let run = runFolder.map { path in
            "d=\(shellQuoted(path)); while [ ! -e \"$d\" ]; do d=$(dirname \"$d\"); done; "
                + "if [ -d \"$d\" ] && [ -w \"$d\" ]; then echo anneal-run yes; else echo anneal-run no; fi; "
                + "if [ -e \(shellQuoted(RunFolder(existing: path).arguments)) ]; then echo anneal-record yes; fi; "
                + "echo anneal-disk $(df -Pk \"$d\" | tail -1 | tr -s ' ' | cut -d' ' -f4)"
        }
        return ([Self.hostScript(binary, folder), "cd \(folder) 2>/dev/null"] + files + (run.map { [$0] } ?? []))
            .joined(separator: "; ")
    }

    private static func hostScript(_ binary: String, _ folder: String) -> String {
        """
        echo anneal-hash $(sha256sum \(binary) 2>/dev/null | cut -c1-64); echo anneal-cores $(nproc); \
        echo anneal-time $(date +%s); echo anneal-memory $(grep MemAvailable /proc/meminfo | tr -dc 0-9); \
        if [ -w \(folder) ]; then echo anneal-folder yes; else echo anneal-folder no; fi; \
         echo anneal-gpus $(ls /dev/nvidia[0-9]* 2>/dev/null | wc -l); \
        if ldconfig -p 2>/dev/null | grep -q libmpi.so.40 || command -v orted >/dev/null 2>&1 ; \
        then echo anneal-mpi yes; else echo anneal-mpi no; fi; \
        set -- $(cat /proc/sys/net/ipv4/ip_local_port_range); \
        echo anneal-ports $(( $2 - $1 - $(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | wc -l) ))
        """
    }

    /// Runs a program to its end, with no input.
    static func run(_ words: [String]) -> (status: Int32, output: String) {
        let process = Process(), pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = pipe
        do { try process.run() } catch { return (127, "\(error)") }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }
}
