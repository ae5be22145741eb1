import Anneal
import Foundation
import Testing

/// What `anneal launch` does on several hosts, which a stand-in for ssh runs on this machine.
@Suite(.enabled(if: hasMPI, "no mpirun ('apt-get install openmpi-bin' installs it)"))
struct LaunchTests {
    /// A stand-in for ssh, a file of three hosts and one of two. A host does not answer once a file down-HOST exists. A
    /// file env-HOST holds commands that are run there first. Each connection is listed in calls.txt.
    private static let hosts = #"""
        cat > rsh <<'END'
        #!/bin/sh
        while [ $# -gt 0 ]; do case "$1" in -x|-n|-q|-T) shift;; -p|-o|-l) shift 2;; *) break;; esac; done
        here=$(dirname "$0"); host=$1; shift
        echo "$host $*" | head -1 | cut -c1-60 >> "$here/calls.txt"
        if [ -e "$here/down-$host" ]; then echo "$host: no route" >&2; exit 255; fi
        # Open MPI's daemons on one machine would sometimes fail when they make the same temporary folder.
        export TMPDIR="$here/tmp-$host"; mkdir -p "$TMPDIR"; cd /
        if [ -e "$here/env-$host" ]; then . "$here/env-$host"; fi
        exec sh -c "$*"
        END
        chmod +x rsh
        printf '%s slots=1\n' first second third > three; head -2 three > two
        rsh=$PWD/rsh two=$PWD/two three=$PWD/three

        """#

    private func tool() throws -> Tool {
        let tool = try Tool()
        try tool.writeRecords("train", count: 200)
        return tool
    }

    private func train(_ folder: String, epochs: String = "2", _ more: String = "") -> String {
        """
        train --network mlp --image-shape 1,12,12 --num-classes 3 --data-train train.rec --rgb-mean 100 --rgb-std 60 \
        --lr 0.05 --shards 4 --global-batch-size 32 --num-epochs \(epochs) --run-folder \(folder) \(more)
        """
    }

    /// A job of three hosts loses one: with --min-hosts 2 it continues on the other two, with --min-hosts 3 it ends.
    @Test(arguments: [2, 3]) func aHostThatIsGoneIsLeftOut(minHosts: Int) throws {
        let tool = try tool()
        defer { tool.remove() }
        let job = train("job", epochs: "1000000", "\(JobTests.shared) --save-steps 1 --rank-timeout 5")
        let result = try tool.shell(
            Self.hosts + #"""
                # mpirun waits twice for this long when a process has died, even if all are gone.
                cat > mpirun <<'END'
                #!/bin/bash
                words=("$@")
                for i in "${!words[@]}"; do [ "${words[i]}" = odls_base_sigkill_timeout ] && words[i + 1]=0; done
                exec "$mpirun" "${words[@]}"
                END
                export mpirun=$(command -v mpirun); chmod +x mpirun

                """# + """
                    PATH=$PWD:$PATH $anneal launch -n 3 -H $three --rsh $rsh --restarts 1 --min-hosts \(minHosts) \
                        $anneal \(job) > job.txt 2>&1 &
                    launcher=$!
                    # Ends all processes that have a rank. The launcher, which has none, is in the same folder.
                    \(JobTests.processes)
                    end() {
                        for p in $(processes); do
                            tr '\\0' '\\n' < /proc/$p/environ | grep -q ^OMPI_COMM_WORLD_RANK= && kill -KILL $p
                        done
                    }
                    running() { kill -0 $launcher 2> /dev/null; }
                    until_true() { for i in $(seq 600); do "$@" || ! running && break; sleep 0.1; done; }
                    saved_again() { sed -n '/Resumed at epoch/,$p' job.txt | grep -q 'Saved checkpoint'; }
                    until_true [ -f job/model-latest.resume ]; touch down-second; end; until_true saved_again
                    end; wait $launcher; echo "status $?"; cat job.txt
                    """)
        #expect(result.output.contains("status 1\n"), "\(result.output)")
        #expect(result.output.contains("3 processes on "), "\(result.output)")
        #expect(result.output.contains(": batch 8 here, 32 in all, in 4 shards"), "\(result.output)")
        #expect(result.output.contains("it is started again (0 restarts left)"), "\(result.output)")
        #expect(result.output.contains("second: no route"), "\(result.output)")
        guard minHosts == 2 else {
            #expect(result.output.contains("1 of 3 are not ready for the job (--min-hosts allows fewer)"))
            #expect(!result.output.contains("2 processes on "), "\(result.output)")
            return
        }
        #expect(result.output.contains("2 of 3 processes find a place on the hosts that are left"), "\(result.output)")
        #expect(result.output.contains("2 processes on "), "\(result.output)")
        #expect(result.output.contains(": batch 16 here, 32 in all, in 4 shards"), "\(result.output)")
        let files = try FileManager.default.contentsOfDirectory(atPath: tool.path("job"))
        let last = try #require(files.filter { $0.hasPrefix("model-0") && $0.hasSuffix(".params") }.max())
        let epochs = try #require(Int(last.filter(\.isNumber)))
        let whole = try tool.shell("$anneal " + train("whole", epochs: "\(epochs)"))
        #expect(whole.status == 0, "\(whole.output)")
        #expect(try tool.bytes("job/\(last)") == tool.bytes("whole/\(last)"))
    }

    /// The folder is copied to every host before the job starts there. A stand-in for rsync copies with tar.
    @Test func aFolderIsCopiedToTheHosts() throws {
        let tool = try tool()
        defer { tool.remove() }
        let alone = try tool.shell("$anneal " + train("alone"))
        #expect(alone.status == 0, "\(alone.output)")
        let launch = "PATH=$PWD/../bin:$PATH $anneal launch -n 2 -H $two --rsh $rsh --sync-dst-dir"
        let rsync = #"""
            mkdir here bin; mv train.* here
            cat > bin/rsync <<'END'
            #!/bin/sh
            [ "$1 $2" = "-azs ./" ] && exec cp -a . "$3"
            [ "$1 $2" = "-azs -e" ] || { echo "rsync: unexpected flags: $*"; exit 2; }
            host=${5%%:*} to=${5#*:}
            tar -C "$4" -cf - . | $3 "$host" "copy=1; tar -C '$to' -xf -"
            END
            chmod +x bin/rsync; cd here

            """#
        let result = try tool.shell(
            Self.hosts + rsync + """
                \(launch) $PWD/../there $anneal \(train("run", JobTests.shared)) || exit 1
                cp ../calls.txt ../calls-of-job.txt
                \(launch) $PWD/../there pwd; echo "status $?"
                touch ../down-second; \(launch) $PWD/../elsewhere pwd; echo "status $?"
                """)
        #expect(result.status == 0, "\(result.output)")
        let there = tool.path("there")
        #expect(result.output.contains("\n\(there)\n\(there)\nstatus 0\n"), "\(result.output)")
        #expect(try tool.bytes("there/run/model-0002.params") == tool.bytes("alone/model-0002.params"))
        #expect(!Files.exists(tool.path("here/run")))
        let calls = String(decoding: try tool.bytes("calls-of-job.txt"), as: UTF8.self).split(separator: "\n")
        #expect(calls.count == 8, "\(calls)")
        #expect(calls[0].hasPrefix("first mkdir -p ") && calls[1].hasPrefix("first copy=1"), "\(calls)")
        #expect(calls[2].hasPrefix("second mkdir -p ") && calls[3].hasPrefix("second copy=1"), "\(calls)")
        #expect(calls.filter { $0.contains("copy=1") }.count == 2, "\(calls)")
        // A host that cannot be copied to ends it before anything is started.
        #expect(result.output.contains("mkdir to second: second: no route"), "\(result.output)")
        #expect(result.output.hasSuffix("status 1\n"), "\(result.output)")
    }

    /// Processes on other hosts have the variables that the flags name, and no others of this environment.
    @Test func variablesReachTheProcesses() throws {
        let tool = try Tool()
        defer { tool.remove() }
        let print =
            #"sh -c 'echo "$OMPI_COMM_WORLD_RANK: <$FRUIT> <$OTHER> <$NUMBERS> <${EMPTY-unset}> <${NONE-unset}>"'"#
        let result = try tool.shell(
            Self.hosts + """
                # As by ssh, nothing of this environment arrives there.
                for host in first second; do
                    echo "exec env -i PATH='$PATH' HOME='$HOME' TMPDIR='$PWD/tmp-$host' sh -c \\"\\$*\\"" \\
                        > env-$host
                done
                export FRUIT='red apple' OTHER=yes
                $anneal launch -n 2 -H $two --rsh $rsh --env FRUIT --env-worker NUMBERS:4:5 --env-worker EMPTY: \(print)
                """)
        #expect(result.status == 0, "\(result.output)")
        let lines = result.output.split(separator: "\n").filter { $0.contains(": <") }.sorted()
        #expect(lines == (0..<2).map { "\($0): <red apple> <> <4:5> <> <unset>" }, "\(result.output)")
        // Processes on this host inherit its environment; the flags go first.
        let here = try tool.shell("FRUIT=pear $anneal launch -n 1 --env-worker FRUIT:fig sh -c 'echo \"<$FRUIT>\"'")
        #expect(here.status == 0 && here.output.contains("<fig>"), "\(here.output)")
        for (flags, problem) in [
            ("--env NOT_SET", "--env NOT_SET: is not set here (set it, or write --env-worker NOT_SET:VALUE)"),
            ("--env-worker FRUIT", "--env-worker FRUIT: has no value (write NAME:VALUE)"),
        ] {
            let refused = try tool.shell("$anneal launch -n 1 \(flags) echo started")
            #expect(refused.status == 64 && refused.output.contains(problem), "\(refused.output)")
            #expect(!refused.output.contains("started"))
        }
    }

    /// A host with another build of the tool is named before the start.
    @Test func anotherToolOnAHostIsRefused() throws {
        let tool = try tool()
        defer { tool.remove() }
        let result = try tool.shell(
            Self.hosts + #"""
                # The tool's hash is different on the second host.
                mkdir bin; cat > bin/sha256sum <<'END'
                #!/bin/sh
                PATH=${PATH#*:}
                case "$1" in */anneal) echo "badbadbadbad0000  $1";; *) exec sha256sum "$@";; esac
                END
                chmod +x bin/sha256sum; echo "export PATH='$PWD/bin':\$PATH" > env-second

                """# + "$anneal launch -n 2 -H $two --rsh $rsh $anneal " + train("job", JobTests.shared))
        #expect(result.status == 1, "\(result.output)")
        let rows = result.output.split(separator: "\n").filter { $0.contains("badbadbadbad") }
        #expect(rows.count == 1 && rows[0].hasPrefix("second  anneal"), "\(result.output)")
        #expect(result.output.contains("badbadbadbad; copy it there: "), "\(result.output)")
        #expect(result.output.contains("1 of 2 are not ready for the job"), "\(result.output)")
        #expect(!Files.exists(tool.path("job")))
    }

    /// Processes with other vector instructions or another version are named, under plain mpirun too. Copies of the
    /// tool in which a constant was replaced stand for them.
    @Test func otherKernelsAndVersionsAreNamed() throws {
        let tool = try tool()
        defer { tool.remove() }
        var differences = [("kernels", ["portable", "avx2", "avx512"].map { Array("\0\($0)\0".utf8) })]
        #if arch(x86_64)
            // Other processors' instructions hold only 16 bits of a constant.
            let version = try tool.run(["--version"]).output.trimmingCharacters(in: .newlines)
            differences.append(("version", try Self.constants(version)))
        #endif
        for (what, constants) in differences {
            try replace(constants, inCopy: what, tool)
            let command = train("job-\(what)", JobTests.shared)
            let result = try tool.shell("\(JobTests.mpirun(1)) $anneal \(command) : -np 1 $PWD/\(what) \(command)")
            #expect(result.status == 1, "\(what): \(result.output)")
            let lines = result.output.split(separator: "\n").filter { $0.hasPrefix("anneal: error: rank 1 on ") }
            #expect(
                lines.contains { $0.contains("differs from rank 0 on ") && $0.contains(" in \(what): ") },
                "\(result.output)")
            #expect(!Files.exists(tool.path("job-\(what)/model-latest.resume")))
        }
    }

    /// The forms that a Swift literal may have in a program: up to 15 bytes are kept in the string itself, whose second
    /// word ends with their number.
    private static func constants(_ text: String) throws -> [[UInt8]] {
        let bytes = Array(text.utf8), literal = [0] + bytes + [0]
        guard (9...15).contains(bytes.count) else { return [literal] }
        return [
            literal, bytes[8...] + Array(repeating: 0, count: 15 - bytes.count) + [0xe0 | UInt8(bytes.count)],
        ]
    }

    /// Copies the tool, with another last letter in each of these constants.
    private func replace(_ constants: [[UInt8]], inCopy name: String, _ tool: Tool) throws {
        var program = try Data(contentsOf: URL(fileURLWithPath: Tool.executable())), replaced = 0
        for constant in constants {
            let old = Data(constant), letter = try #require(constant.lastIndex { (0x21..<0x7f).contains($0) })
            while let found = program.range(of: old) {
                program[found.lowerBound + letter] = constant[letter] == UInt8(ascii: "x") ? 0x79 : 0x78
                replaced += 1
            }
        }
        try #require(replaced > 0, "the tool does not contain \(constants)")
        try program.write(to: URL(fileURLWithPath: tool.path(name)))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: tool.path(name))
    }
}
