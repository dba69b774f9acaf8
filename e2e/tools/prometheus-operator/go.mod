// The Prometheus Operator, for its definitions alone: nothing of it is built.
module brownout.dev/tools/prometheus-operator

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.94.1
