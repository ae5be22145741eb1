import AnnealCore
import AnnealTrain
import Foundation
import Testing

@Suite struct ScheduleTests {
    private func rates(_ schedule: any LearningRateSchedule, _ updates: [Int]) -> [Double] {
        updates.map { schedule.rate(at: $0) }
    }

    private func expectClose(_ values: [Double], _ expected: [Double]) {
        #expect(values.count == expected.count)
        for (value, wanted) in zip(values, expected) {
            #expect(abs(value - wanted) < 1e-12, "\(values), not \(expected)")
        }
    }

    @Test func factor() throws {
        let schedule = try FactorScheduler(step: 2, factor: 0.5, stopRate: 0.2, baseRate: 1)
        expectClose(rates(schedule, [0, 1, 2, 3, 4, 5, 6, 7, 100]), [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2])
        // A factor of 1 must not loop over all steps of a long run.
        #expect(try FactorScheduler(step: 1, factor: 1, baseRate: 1).rate(at: 1 << 40) == 1)
    }

    @Test func multiFactor() throws {
        let schedule = try MultiFactorScheduler(steps: [2, 3], factor: 0.5, baseRate: 1)
        expectClose(rates(schedule, [1, 2, 3, 4, 50]), [1, 1, 0.5, 0.25, 0.25])
    }

    @Test func poly() throws {
        let schedule = try PolyScheduler(maxUpdate: 4, baseRate: 1, power: 2, finalRate: 0.2)
        expectClose(rates(schedule, [0, 2, 4, 9]), [1, 0.4, 0.2, 0.2])
    }

    @Test func cosine() throws {
        let schedule = try CosineScheduler(maxUpdate: 4, baseRate: 1, finalRate: 0.5)
        expectClose(rates(schedule, [0, 2, 4, 9]), [1, 0.75, 0.5, 0.5])
    }

    @Test func warmUp() throws {
        let linear = WarmUp(steps: 4, beginRate: 0.2)
        expectClose(
            rates(try MultiFactorScheduler(steps: [1], factor: 0.5, baseRate: 1, warmUp: linear), [0, 1, 2, 3, 4]),
            [0.2, 0.4, 0.6, 0.8, 0.5])
        let constant = WarmUp(steps: 2, beginRate: 0.1, mode: .constant)
        expectClose(
            rates(try CosineScheduler(maxUpdate: 4, baseRate: 1, warmUp: constant), [0, 1, 2, 3, 4]),
            [0.1, 0.1, 1, 0.5, 0])
        // An optimizer's rate replaces the base, but not the end of the warm-up.
        var schedule = try FactorScheduler(step: 10, baseRate: 1, warmUp: linear)
        schedule.baseRate = 3
        expectClose(rates(schedule, [2, 4]), [0.6, 3])
    }

    @Test func oneCycle() throws {
        let schedule = try OneCycleScheduler(
            maxUpdate: 10, baseRate: 1, riseShare: 0.5, division: 10, finalDivision: 10)
        // Rising to step 4 (update 5), then falling to step 9 (update 10).
        expectClose(rates(schedule, [1, 3, 5, 10, 99]), [0.1, 0.55, 1, 0.01, 0.01])
        let linear = try OneCycleScheduler(
            maxUpdate: 10, baseRate: 1, riseShare: 0.5, division: 10, finalDivision: 10, linear: true)
        expectClose(rates(linear, [2, 6]), [0.325, 1 - 0.99 / 5])
    }

    @Test func plateau() throws {
        var schedule: any LearningRateSchedule = try PlateauScheduler(
            baseRate: 1, factor: 0.5, patience: 1, threshold: 0, cooldown: 1, minRate: 0.2)
        var seen: [Double] = []
        for accuracy in [0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6] {
            schedule.observe(accuracy)
            seen.append(schedule.rate(at: 1))
        }
        // Two bad ones, a fall, one that does not count, two bad ones, a fall.
        #expect(seen == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25])
        var other: any LearningRateSchedule = try PlateauScheduler(
            baseRate: 1, factor: 0.5, patience: 1, threshold: 0, cooldown: 1, minRate: 0.2)
        other.state = schedule.state
        #expect(other.rate(at: 1) == 0.25)
        for _ in 0..<9 { other.observe(.nan) }
        #expect(other.rate(at: 1) == 0.2)
        other.state = [1, .infinity, .nan, 1e300]
    }

    @Test func replayNeverGoesBack() throws {
        var replay = ScheduleReplay(try MultiFactorScheduler(steps: [10, 20], factor: 0.1, baseRate: 1))
        expectClose([0, 25, 26, 5].map { replay.rate(at: $0) }, [1, 0.01, 0.01, 0.01])
        var cosine = ScheduleReplay(try CosineScheduler(maxUpdate: 4, baseRate: 1))
        expectClose([9, 2, 9, 0].map { cosine.rate(at: $0) }, [1, 0.5, 0.5, 1])
    }

    @Test func fitFlags() throws {
        func fit(_ factor: Double?, _ steps: String?, load: Int = 0) throws -> FitSchedule {
            try fitSchedule(
                lr: 1, factor: factor, stepEpochs: steps, numExamples: 95, batchSize: 10, loadEpoch: load, numEpochs: 4)
        }
        let plain = try fit(0.5, "1, 3")
        #expect(plain.epochSize == 10 && plain.steps == [10, 30] && plain.learningRate == 1)
        let resumed = try fit(0.5, "1,3", load: 2)
        #expect(resumed.steps == [10] && resumed.learningRate == 0.5)
        #expect(try fit(0.5, "1,3", load: 3).schedule == nil)
        #expect(try fit(1, "1,3").schedule == nil && fit(nil, "1").schedule == nil && fit(0.5, nil).schedule == nil)
        for text in ["pow2", "pow 2", "pow-2"] {
            expectClose([try #require(try fit(0.5, text).schedule).rate(at: 20)], [0.25])
        }
        for bad in ["1,x", "3,1", "1,,2", "pow", "powder"] { #expect(throws: AnnealError.self) { try fit(0.5, bad) } }
        #expect(throws: AnnealError.self) {
            try fitSchedule(lr: 1, factor: 0.5, stepEpochs: "1", numExamples: 1, batchSize: 0, numEpochs: 1)
        }
    }

    @Test func refusesNonsense() throws {
        #expect(throws: AnnealError.self) { try MultiFactorScheduler(steps: []) }
        #expect(throws: AnnealError.self) { try MultiFactorScheduler(steps: [3, 3]) }
        #expect(throws: AnnealError.self) { try FactorScheduler(step: 1, factor: 2) }
        #expect(throws: AnnealError.self) { try PolyScheduler(maxUpdate: 0) }
        #expect(throws: AnnealError.self) { try CosineScheduler(maxUpdate: 3, warmUp: WarmUp(steps: 3)) }
        #expect(throws: AnnealError.self) {
            try FactorScheduler(step: 1, baseRate: 0.1, warmUp: WarmUp(steps: 1, beginRate: 1))
        }
        #expect(throws: AnnealError.self) { try Schedules.make("StepScheduler", [:]) }
        #expect(throws: AnnealError.self) { try Schedules.make("PolyScheduler", ["max_update": 3, "power": 1]) }
        #expect(try Schedules.make("PolyScheduler", ["max_update": 3, "pwr": 1]).rate(at: 3) == 0)
    }
}
