import AnnealTrain
import Testing

@Suite struct StepWaitsTests {
    /// A processor that computes seven seconds out of ten, or less.
    @Test func theProcessorIsTheSlowerOneOrNot() {
        #expect(StepWaits(data: 2.9, device: 7.1).remark == nil)
        let remark = StepWaits(data: 4, device: 6).remark
        #expect(remark?.hasPrefix("40 % of the time was spent waiting for data") == true)
    }

    /// While an accelerator computes, the host prepares the next batch: that alone is not a sign of slow data.
    @Test func aDeviceThatHasToBeWaitedForIsTheSlowerOne() {
        #expect(StepWaits(data: 6, device: 4, isLate: true).remark == nil)
        #expect(StepWaits(data: 9, device: 1, isLate: true).remark?.hasPrefix("90 %") == true)
    }

    @Test func shortEpochsSayNothing() { #expect(StepWaits(data: 9, device: 0.1).remark == nil) }
}
