// KEDA, for its definitions alone: nothing of it is built.
module brownout.dev/tools/keda

go 1.24.0

require github.com/kedacore/keda/v2 v2.21.0
