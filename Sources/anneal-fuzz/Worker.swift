import AnnealCore
import AnnealReport
import CAnnealFuzz
import Foundation

/// Reads inputs in this process, which an input may end: by a crash, by SIGALRM if it takes too long, or with
/// `ANNEAL_FUZZ_OVER_LIMIT` if it allocates too much memory.
struct Worker {
    let target: FuzzTarget
    let reader: FuzzReader
    let mutator: Mutator

    /// The exit code after an input that was refused with an error of another type, or a seed that was not accepted.
    static let wrongVerdict: Int32 = 96

    init(_ target: FuzzTarget, seed: UInt64, workspace: Workspace) throws {
        self.target = target
        reader = try target.prepare(workspace)
        mutator = Mutator(target: target, seeds: reader.seeds, runSeed: seed)
        // The parent may have blocked or ignored it, which processes inherit.
        var alarms = sigset_t()
        sigemptyset(&alarms)
        sigaddset(&alarms, SIGALRM)
        sigprocmask(SIG_UNBLOCK, &alarms, nil)
        signal(SIGALRM, SIG_DFL)
    }

    func run(_ inputs: Range<Int>, _ board: Scoreboard) {
        for number in inputs {
            board.scores.current = number
            let input = mutator.input(number)
            var result = Scoreboard.Scores()
            let refusal = read(input, &result)
            if number < reader.seeds.count, let refusal {
                stop("the undamaged seed \(number) is refused: \(refusal)")
            }
            board.scores.add(result)
        }
    }

    /// Reads one input. Returns why it was refused; nil if it was accepted.
    func read(_ input: [UInt8], _ result: inout Scoreboard.Scores) -> AnnealError? {
        var refusal: AnnealError?
        let began = ContinuousClock.now
        alarm(target.secondsLimit)
        anneal_fuzz_watch(Int64(FuzzTarget.fixedMemory + target.memoryFactor * input.count))
        do {
            try reader.read(input)
            result.accepted = 1
        } catch let error as AnnealError {
            result.refused = 1
            refusal = error
        } catch {
            stop("refused by \(type(of: error)), which says nothing to a user: \(error)")
        }
        result.memory = Int(anneal_fuzz_peak())
        result.memorySize = input.count
        alarm(0)
        result.slowestMicroseconds = Int((ContinuousClock.now - began) / .microseconds(1))
        return refusal
    }

    private func stop(_ problem: String) -> Never {
        StandardStream.error.write("\(problem)\n")
        exit(Worker.wrongVerdict)
    }
}
