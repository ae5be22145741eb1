import Anneal
import ArgumentParser
import Foundation

/// MXNet's tools/launch.py.
struct Launch: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start a job with several processes, on this host or on several.",
        discussion: """
            The flags are those of MXNet's launch.py; there are no servers, all processes work. Every host is looked at \
            first: ssh, the same anneal, the folder, clock, cores and memory. Open MPI does the rest (mpirun, or srun with \
            --launcher slurm). The command is started in the same folder on every host, which they share by NFS or get by \
            --sync-dst-dir.

            If a process dies, the job ends; with --restarts it continues from its last saved state, on the hosts that answer.

            anneal launch -n 2 anneal train --kv-store dist_sync --data-train train.rec --data-val val.rec
            anneal launch -n 4 -H hosts --restarts 3 anneal train --kv-store dist_sync --save-steps 100 --data-train train.rec
            """)

    enum Launcher: String, ExpressibleByArgument, CaseIterable { case ssh, local, mpi, slurm }

    @Option(name: [.customShort("n"), .long], help: ArgumentHelp("Processes.", valueName: "N"))
    var numWorkers: Int
    @Option(
        name: [.customShort("H"), .long],
        help: ArgumentHelp(
            "One host per line: host, host:port, or host slots=N (default: this host).", valueName: "FILE"),
        completion: .file())
    var hostfile: String?
    @Option(help: ArgumentHelp("ssh, local, mpi or slurm; ssh and mpi are the same here.", valueName: "KIND"))
    var launcher: Launcher = .ssh
    @Option(
        help: ArgumentHelp(
            "Copy this folder there with rsync, on every host, and start in it; an absolute path.", valueName: "FOLDER")
    )
    var syncDstDir: String?
    @Option(
        help: ArgumentHelp("A variable of this environment for all processes; may be repeated.", valueName: "NAME"))
    var env: [String] = []
    @Option(help: ArgumentHelp("A variable for all processes; may be repeated.", valueName: "NAME:VALUE"))
    var envWorker: [String] = []
    @Option(help: .hidden)
    var envServer: [String] = []
    @Option(
        name: [.customShort("s"), .long],
        help: ArgumentHelp("MXNet's number of servers; ignored, since there are none.", valueName: "N"))
    var numServers: Int?
    @Flag(name: .customLong("p3"), help: .hidden)
    var p3 = false
    @Option(help: ArgumentHelp("Restart after a failure, at most this many times.", valueName: "N"))
    var restarts: Int = 0
    @Option(help: ArgumentHelp("Minimum number of hosts for a restart.", valueName: "N"))
    var minHosts: Int = 1
    @Option(help: ArgumentHelp("Program to use instead of ssh.", valueName: "PROGRAM"))
    var rsh: String = "ssh"
    @Argument(
        parsing: .captureForPassthrough, help: ArgumentHelp("Command that every process runs.", valueName: "COMMAND"))
    var command: [String] = []

    func run() throws {
        try check()
        let hosts = try hostfile.map(HostsFile.read) ?? [JobHost(name: "localhost")]
        if numServers ?? 0 > 0 { printError("There are no servers here: -s \(numServers ?? 0) has no effect") }
        let job = try LaunchedJob(self, hosts: hosts)
        try job.run()
    }

    private func check() throws {
        guard (1...4096).contains(numWorkers) else {
            throw UsageError("-n", "is \(numWorkers)", suggestion: "give 1 to 4096 processes")
        }
        guard restarts >= 0, minHosts >= 1 else {
            throw UsageError("--restarts \(restarts) --min-hosts \(minHosts)", "are no counts")
        }
        guard let first = command.first(where: { $0 != "--" }) else {
            throw UsageError(
                "COMMAND", "is missing",
                suggestion: "write it last: anneal launch -n 2 anneal train --kv-store dist_sync ...")
        }
        if p3 {
            throw UsageError(
                "--p3", "is MXNet's priority propagation between workers and servers", suggestion: "leave it out")
        }
        if ["python", "python3"].contains(FilePath(first).name.description) {
            throw UsageError(
                "COMMAND", "\(first) is one of MXNet's scripts",
                suggestion: "write anneal train or anneal fine-tune, with the same flags")
        }
        for name in env where name.contains("=") {
            let parts = name.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            throw UsageError(
                "--env \(name)", "is not a name",
                suggestion: "write --env-worker \(shellQuoted("\(parts[0]):\(parts[1])"))")
        }
        for pair in envWorker {
            guard pair.contains(":") else {
                throw UsageError("--env-worker \(pair)", "has no value", suggestion: "write NAME:VALUE")
            }
            guard !pair.hasPrefix(":") else {
                throw UsageError("--env-worker \(pair)", "has no name", suggestion: "write NAME:VALUE")
            }
        }
        if let syncDstDir, !syncDstDir.hasPrefix("/") {
            throw UsageError(
                "--sync-dst-dir \(syncDstDir)",
                "is not an absolute path: shells on other hosts start in another folder",
                suggestion: "start it with a slash, e.g. /tmp/job")
        }
        guard launcher == .slurm else { return }
        for (flag, isGiven, why) in [
            ("--sync-dst-dir", syncDstDir != nil, "Slurm's hosts share folders"),
            ("--hostfile", hostfile != nil, "Slurm chooses the hosts"),
        ] where isGiven {
            throw UsageError(flag, "has no effect with --launcher slurm: \(why)", suggestion: "leave it out")
        }
    }
}
