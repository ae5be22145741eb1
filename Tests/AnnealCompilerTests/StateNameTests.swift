import AnnealCompiler
import Testing

/// The names of states in the files of runs.
@Suite struct StateNameTests {
    @Test(arguments: [
        (StateName.optimizer(parameter: "fc1_weight", index: 0), "optimizer:fc1_weight:0"),
        (.optimizer(parameter: "a:b", index: 12), "optimizer:a:b:12"),
        (.average(.movingAverage, of: "bn_moving_mean"), "ema:bn_moving_mean"),
        (.average(.lookAhead, of: "a:0"), "lookahead:a:0"),
        (.gradientSum(level: 2, parameter: "1:x"), "gradients:2:1:x"),
    ]) func namesAreSpeltAndRead(_ name: StateName, _ text: String) {
        #expect(name.text == text && StateName(text) == name)
    }

    /// Also the sums of version 0.1, which have no level.
    @Test(arguments: ["", "fc1_weight", "arg:fc1_weight", "optimizer:a", "optimizer:a:b", "gradients:a", "emma:a"])
    func otherNamesAreNone(_ text: String) { #expect(StateName(text) == nil) }
}
