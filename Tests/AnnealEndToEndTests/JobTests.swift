import Anneal
import Foundation
import Testing

/// Whether Open MPI is available.
let hasMPI = FileManager.default.isExecutableFile(atPath: "/usr/bin/mpirun")

/// Jobs of several processes, as `mpirun` and `anneal launch` start them.
@Suite(.enabled(if: hasMPI, "no mpirun ('apt-get install openmpi-bin' installs it)"))
struct JobTests {
    private func tool() throws -> Tool {
        let tool = try Tool()
        try tool.writeRecords("train", count: 200)
        try tool.writeRecords("val", count: 50)
        return tool
    }

    private func train(_ folder: String, epochs: Int = 2, _ more: String = "") -> String {
        """
        train --network mlp --image-shape 1,12,12 --num-classes 3 --data-train train.rec --data-val val.rec \
        --rgb-mean 100 --rgb-std 60 --random-mirror 1 --mixup 0.2 --lr 0.05 --shards 4 --global-batch-size 32 \
        --num-epochs \(epochs) --run-folder \(folder) \(more)
        """
    }

    static func mpirun(_ processes: Int) -> String {
        // Without the last flag Open MPI 4.1.4 sometimes crashes, in a map of the cores that it puts into shared
        // memory.
        "mpirun \(geteuid() == 0 ? "--allow-run-as-root" : "") --oversubscribe --bind-to none --mca rtc_hwloc_vmhole none -np \(processes)"
    }

    static let shared = "--kv-store dist_sync"

    private func mpirun(_ processes: Int) -> String { "\(Self.mpirun(processes)) $anneal " }

    /// Shell functions: the job's processes, which are those in the test's folder; and whether one has a rank.
    static let processes = """
        processes() { for p in $(pgrep -x anneal); do [ "$(readlink /proc/$p/cwd)" = "$(pwd -P)" ] && echo $p; done; }
        rank() { tr '\\0' '\\n' < /proc/$1/environ | grep -qx OMPI_COMM_WORLD_RANK=$2; }
        """

    @Test func anyNumberOfProcessesGivesTheSameBits() throws {
        let tool = try tool()
        defer { tool.remove() }
        let alone = try tool.shell("$anneal " + train("alone", "--batch-size 32"))
        #expect(alone.status == 0, "\(alone.output)")
        let weights = try tool.bytes("alone/model-0002.params")
        // With --bucket-mb 0 each parameter's gradient is sent separately.
        for (processes, devices, bucket) in [(2, 1, 0), (3, 1, 4), (4, 1, 0), (2, 2, 0)] {
            let folder = "job\(processes)\(devices)"
            let flags = "\(Self.shared) --devices cpu:0-\(devices - 1) --bucket-mb \(bucket) --profile trace.json"
            let result = try tool.shell(mpirun(processes) + train(folder, flags))
            #expect(result.status == 0, "\(result.output)")
            #expect(try tool.bytes("\(folder)/model-0002.params") == weights)
            let trace = String(decoding: try tool.bytes("trace.json"), as: UTF8.self)
            #expect(trace.contains("exchange of gradients") && result.output.contains("ms of exchange per step"))
            #expect(try tool.bytes("\(folder)/predictions.csv") == tool.bytes("alone/predictions.csv"))
            // Every image was validated once, by one of the processes.
            let accuracy = try line("Validation-accuracy", in: folder, tool)
            #expect(try accuracy == line("Validation-accuracy", in: "alone", tool))
            for rank in 1..<processes { #expect(Files.exists(tool.path("\(folder)/log-rank\(rank).txt"))) }
        }
    }

    /// The same for processes and devices that share batches in the same way, and not the shuffle over all.
    @Test func processesReadFixedParts() throws {
        let tool = try tool()
        defer { tool.remove() }
        for (folder, flags) in [
            ("once", "--fixed-parts 1"), ("again", "--fixed-parts 1 --devices cpu:0-1"), ("all", ""),
        ] {
            let run = try tool.shell(mpirun(2) + train(folder, "\(Self.shared) \(flags)"))
            #expect(run.status == 0, "\(run.output)")
        }
        let weights = try tool.bytes("once/model-0002.params")
        #expect(try tool.bytes("again/model-0002.params") == weights)
        #expect(try tool.bytes("all/model-0002.params") != weights)
    }

    /// Also if the run is resumed with other processes: what has not been sent yet is saved.
    @Test func compressedGradientsGiveTheSameBits() throws {
        let tool = try tool()
        defer { tool.remove() }
        let compressed = "--gc-type 2bit --gc-threshold 0.25 --bucket-mb 0"
        for (folder, flags) in [("whole", ""), ("alone", compressed)] {
            let run = try tool.shell("$anneal " + train(folder, "--batch-size 32 \(flags)"))
            #expect(run.status == 0, "\(run.output)")
        }
        let weights = try tool.bytes("alone/model-0002.params")
        #expect(try weights != tool.bytes("whole/model-0002.params"))
        let result = try tool.shell(
            """
            \(mpirun(2)) \(train("job", epochs: 1, "\(Self.shared) \(compressed)")) || exit 1
            \(mpirun(3)) resume job --num-epochs 2 || exit 1
            \(mpirun(2)) \(train("halves", "\(Self.shared) --gc-type bfloat16"))
            """)
        #expect(result.status == 0, "\(result.output)")
        #expect(try tool.bytes("job/model-0002.params") == weights)
        #expect(try tool.bytes("halves/model-0002.params") != tool.bytes("whole/model-0002.params"))
    }

    private func line(_ text: String, in folder: String, _ tool: Tool) throws -> String {
        let log = String(decoding: try tool.bytes("\(folder)/log.txt"), as: UTF8.self)
        return log.split(separator: "\n").last { $0.contains(text) }.map(String.init) ?? ""
    }

    /// The processes agree on what is left out, so that the batches are those of a single process.
    @Test func badRecordsAreLeftOutByAll() throws {
        let tool = try tool()
        defer { tool.remove() }
        // Three images, each in a different process's part, truncated at the beginning.
        for (name, places) in [("train", [0.05, 0.5, 0.9]), ("val", [0.4])] {
            var bytes = try tool.bytes("\(name).rec")
            for place in places {
                let signature = Data([0x89, 0x50, 0x4e, 0x47]),
                    middle = bytes.startIndex + Int(place * Double(bytes.count))
                let found = try #require(bytes.range(of: signature, in: middle..<bytes.endIndex))
                bytes[found.lowerBound] = 0
            }
            try bytes.write(to: URL(fileURLWithPath: tool.path("\(name).rec")))
        }
        let skip = "--on-bad-record skip"
        let alone = try tool.shell("$anneal " + train("alone", "--batch-size 32 \(skip)"))
        #expect(alone.status == 0, "\(alone.output)")
        for processes in [2, 4] {
            let job = try tool.shell(mpirun(processes) + train("job\(processes)", "\(Self.shared) \(skip)"))
            #expect(job.status == 0, "\(job.output)")
            #expect(job.output.contains("3 of 200 training images cannot be used"), "\(job.output)")
            #expect(job.output.contains("skipped val.rec, record "))
            #expect(
                try tool.bytes("job\(processes)/model-0002.params") == tool.bytes("alone/model-0002.params"))
            #expect(
                try line("Validation-accuracy", in: "job\(processes)", tool)
                    == line("Validation-accuracy", in: "alone", tool))
        }
        let refused = try tool.shell(mpirun(2) + train("refused", Self.shared))
        #expect(refused.status != 0 && refused.output.contains("train.rec, record "), "\(refused.output)")
    }

    /// Processes that would compute different things are named, with their values.
    @Test func whatDiffersIsNamed() throws {
        let tool = try tool()
        defer { tool.remove() }
        try tool.writeRecords("other", count: 190)
        // The second process has a different folder, with different records of the same name.
        let made = try tool.shell("mkdir there; cp val.rec val.idx there; mv other.rec there/train.rec")
        #expect(made.status == 0, "\(made.output)")
        func pair(_ folder: String, _ options: String, _ second: String) -> String {
            let command = train(folder, Self.shared)
            return "\(mpirun(1)) \(command) : -np 1 \(options) $anneal \(command) \(second)"
        }
        for (command, problem) in [
            (pair("rates", "", "--wd 0.01"), " in flags: "),
            (pair("data", "-wdir $PWD/there", ""), " in data: "),
        ] {
            let result = try tool.shell(command)
            #expect(result.status != 0 && result.output.contains(problem), "\(command): \(result.output)")
            #expect(result.output.contains(": differs from rank 0 on "))
        }
    }

    /// Two hosts of a hosts file, which a stand-in for ssh runs on this machine.
    @Test func hostsGiveTheSameBits() throws {
        let tool = try tool()
        defer { tool.remove() }
        let alone = try tool.shell("$anneal " + train("alone", "--batch-size 32"))
        #expect(alone.status == 0, "\(alone.output)")
        let result = try tool.shell(
            #"""
            cat > rsh <<'END'
            #!/bin/sh
            while [ $# -gt 0 ]; do case "$1" in -x|-n|-q|-T) shift;; -p|-o|-l) shift 2;; *) break;; esac; done
            # Two daemons of Open MPI that make the same temporary folder at once may fail.
            export TMPDIR="$(dirname "$0")/tmp-$1"; mkdir -p "$TMPDIR"; shift
            exec sh -c "$*"
            END
            chmod +x rsh; printf 'first slots=1\nsecond slots=1 # the other\n' > hosts
            """# + "\n$anneal launch -n 2 -H hosts --rsh $PWD/rsh $anneal " + train("hosts-run", Self.shared))
        #expect(result.status == 0, "\(result.output)")
        #expect(try tool.bytes("hosts-run/model-0002.params") == tool.bytes("alone/model-0002.params"))
    }

    /// A process that stops answering is named, and the job ends on its own.
    @Test func aProcessThatHangsIsNamed() throws {
        let tool = try tool()
        defer { tool.remove() }
        let result = try tool.shell(
            """
            \(mpirun(2)) \(train("hung", epochs: 1_000_000, "\(Self.shared) --rank-timeout 2")) &
            for i in $(seq 100); do [ -f hung/log-rank1.txt ] && break; sleep 0.1; done; sleep 1
            \(Self.processes)
            for p in $(processes); do rank $p 1 && kill -STOP $p; done
            wait $!; echo "status $?"
            # What mpirun has killed may take a moment to be gone.
            for i in $(seq 50); do [ -z "$(processes)" ] && break; sleep 0.1; done; processes | wc -l
            """)
        #expect(result.output.contains("rank 1 on "), "\(result.output)")
        #expect(result.output.contains("has not answered for 2 s"))
        #expect(result.output.contains("status 1"))
        #expect(result.output.hasSuffix("0\n"))
    }

    /// Killed, restarted by the launcher, with the same result as an uninterrupted run.
    @Test func aKilledJobIsStartedAgain() throws {
        let tool = try tool()
        defer { tool.remove() }
        let whole = try tool.shell("$anneal " + train("whole", epochs: 20, "--batch-size 32"))
        #expect(whole.status == 0, "\(whole.output)")
        let result = try tool.shell(
            """
            $anneal launch -n 2 --restarts 2 $anneal \(train("killed", epochs: 20, "\(Self.shared) --save-steps 1 --rank-timeout 3")) &
            for i in $(seq 100); do [ -f killed/model-latest.resume ] && break; sleep 0.1; done
            \(Self.processes)
            for p in $(processes); do rank $p 1 && kill -KILL $p; done
            wait $!; echo "status $?"
            """)
        #expect(result.output.contains("it is started again (1 restart left)"), "\(result.output)")
        #expect(result.output.contains("status 0"), "\(result.output)")
        #expect(try tool.bytes("killed/model-0020.params") == tool.bytes("whole/model-0020.params"))
    }

    /// Ctrl-C at the launcher: every process saves, and the job continues from there.
    @Test func aJobThatIsAskedToStopSaves() throws {
        let tool = try tool()
        defer { tool.remove() }
        let whole = try tool.shell("$anneal " + train("whole", epochs: 20, "--batch-size 32"))
        #expect(whole.status == 0, "\(whole.output)")
        let result = try tool.shell(
            """
            $anneal launch -n 2 $anneal \(train("stopped", epochs: 20, Self.shared)) &
            for i in $(seq 100); do [ -f stopped/model-latest.resume ] && break; sleep 0.1; done
            kill -TERM $!; wait $!; echo "status $?"
            $anneal launch -n 3 $anneal resume stopped || exit 1
            """)
        #expect(result.output.contains("status 143"), "\(result.output)")
        #expect(result.status == 0, "\(result.output)")
        #expect(try tool.bytes("stopped/model-0020.params") == tool.bytes("whole/model-0020.params"))
    }

    /// The first of several processes reports the measurements of all.
    @Test func jobsAreMeasured() throws {
        let tool = try tool()
        defer { tool.remove() }
        let network = "--kv-store dist_sync --network mlp --image-shape 1,12,12 --batch-size 16 --steps 2"
        let launch = "$anneal launch -n 2 anneal "
        let steps = try tool.shell(launch + "bench-step --gc-type bfloat16 \(network) 2> /dev/null")
        #expect(steps.output.contains("\"processes\":2") && steps.output.split(separator: "\n").count == 1, "\(steps)")
        let profile = try tool.shell(launch + "profile \(network) 2> /dev/null")
        #expect(profile.output.contains("ms of it hidden by the backward pass"), "\(profile)")
        let exchange = try tool.shell(launch + "bench-exchange --mb 1 --rounds 2 2> /dev/null")
        #expect(exchange.output.contains("\"message_mb_s\":") && exchange.output.contains("\"hosts\":1"), "\(exchange)")
        let alone = try tool.shell("$anneal bench-exchange")
        #expect(alone.status == 64 && alone.output.contains("anneal launch -n 2 anneal bench-exchange"), "\(alone)")
    }

    /// Ctrl-C that reaches only one process, under plain mpirun: all save and stop.
    @Test(arguments: [0, 1]) func oneProcessThatIsAskedToStopStopsAll(rank: Int) throws {
        let tool = try tool()
        defer { tool.remove() }
        let whole = try tool.shell("$anneal " + train("whole", epochs: 20, "--batch-size 32"))
        #expect(whole.status == 0, "\(whole.output)")
        let result = try tool.shell(
            """
            \(mpirun(2)) \(train("stopped", epochs: 20, "\(Self.shared) --bucket-mb 0")) &
            for i in $(seq 100); do [ -f stopped/model-latest.resume ] && break; sleep 0.1; done
            \(Self.processes)
            for p in $(processes); do rank $p \(rank) && kill -INT $p; done
            wait $!; echo "status $?"; processes | wc -l
            $anneal launch -n 2 $anneal resume stopped || exit 1
            """)
        #expect(result.output.contains("to continue, run: anneal resume"), "\(result.output)")
        #expect(!result.output.contains("status 0"), "\(result.output)")
        #expect(result.status == 0, "\(result.output)")
        #expect(try tool.bytes("stopped/model-0020.params") == tool.bytes("whole/model-0020.params"))
    }

    /// The disk of the process that writes is full: it reports that, and all end.
    @Test(.enabled(if: geteuid() == 0)) func aFullDiskEndsAll() throws {
        let tool = try tool(), disk = tool.path("disk")
        defer { tool.remove() }
        try Files.makeFolder(disk)
        guard mount("none", disk, "tmpfs", 0, "size=100k") == 0 else { return }
        defer { umount(disk) }
        let run = mpirun(2) + train("disk/full", "\(Self.shared) --save all --rank-timeout 5")
        let result = try tool.shell(
            """
            \(run); echo "status $?"
            \(Self.processes)
            for i in $(seq 50); do [ -z "$(processes)" ] && break; sleep 0.1; done; processes | wc -l
            """)
        #expect(result.output.contains("No space left on device"), "\(result.output)")
        #expect(!result.output.contains("status 0") && result.output.hasSuffix("0\n"), "\(result.output)")
    }

    @Test func twoJobsInOneFolderAreRefused() throws {
        let tool = try tool()
        defer { tool.remove() }
        let result = try tool.shell(
            """
            $anneal launch -n 2 $anneal \(train("twice", epochs: 1_000_000, Self.shared)) > first.txt 2>&1 &
            for i in $(seq 100); do [ -f twice/model-latest.resume ] && break; sleep 0.1; done
            $anneal launch -n 2 $anneal resume twice; echo "second $?"
            kill -TERM $!; wait $!; echo "first $?"
            """)
        #expect(result.output.contains("another run saves there"), "\(result.output)")
        #expect(result.output.contains("second 1") && result.output.contains("first 143"), "\(result.output)")
    }

    @Test func whatCannotBeSharedIsRefused() throws {
        let tool = try tool()
        defer { tool.remove() }
        for (command, problem) in [
            (mpirun(2) + train("apart"), "2 processes were started, and each would train by itself"),
            ("$anneal " + train("async", "--kv-store dist_async"), "lets each worker update the weights when it likes"),
            ("$anneal " + train("typo", "--kv-store dist_synk"), "is not known"),
            (mpirun(2) + train("few", "\(Self.shared) --shards 1"), "are fewer than the 2 devices of 2 processes"),
            ("$anneal launch -n 2 $anneal " + train("silent"), "give it --kv-store dist_sync"),
            ("$anneal launch -n 2", "COMMAND"),
            ("PMI_RANK=0 PMI_SIZE=2 $anneal " + train("mpich", Self.shared), "was started by MPICH's mpirun"),
            ("$anneal launch -n 2 --p3 $anneal " + train("p3", Self.shared), "priority propagation"),
            ("$anneal launch -n 2 --launcher sge $anneal " + train("sge", Self.shared), "sge"),
            ("$anneal launch -n 2 --launcher yarn $anneal " + train("yarn", Self.shared), "yarn"),
            (
                "$anneal launch -n 2 $anneal " + train("gone", "\(Self.shared) --data-train gone.rec"),
                "gone.rec is not there"
            ),
            (
                "$anneal launch -n 2 $anneal " + train("val.rec/run", Self.shared),
                "val.rec/run cannot be made or written to"
            ),
            ("$anneal launch -n 2 -H nowhere $anneal " + train("hosts", Self.shared), "nowhere"),
        ] {
            let result = try tool.shell(command)
            #expect(result.status != 0 && result.output.contains(problem), "\(command): \(result.output)")
        }
        #expect(!Files.exists(tool.path("apart")))
        let alone = try tool.shell("$anneal " + train("one", epochs: 1, Self.shared))
        #expect(alone.status == 0 && alone.output.contains("it is the only worker"), "\(alone.output)")
    }

    @Test func hostsFilesAreRead() throws {
        let tool = try tool()
        defer { tool.remove() }
        for (text, problem) in [
            ("a slots=0\n", "line 1"), ("a\nb:x\n", "line 2"), ("a\na\n", "is listed twice"),
            ("# none\n", "names no host"), ("localhost slots=1\n", "the hosts have slots for 1"),
            ("a:22\nb:2222\n", "other ports"), ("-oProxyCommand=x\n", "is not a host"),
        ] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: tool.path("hosts")))
            let result = try tool.shell("$anneal launch -n 2 -H hosts $anneal " + train("hosts-run", Self.shared))
            #expect(result.status != 0 && result.output.contains(problem), "\(text): \(result.output)")
        }
        // Neither host answers: the table says so, and nothing is started.
        try Data("nowhere.invalid slots=2\n".utf8).write(to: URL(fileURLWithPath: tool.path("hosts")))
        let result = try tool.shell(
            "$anneal launch -n 2 --rsh false -H hosts $anneal " + train("hosts-run", Self.shared))
        #expect(result.status == 1 && result.output.contains("1 of 1 are not ready"), "\(result.output)")
        #expect(!Files.exists(tool.path("hosts-run")))
    }
}
