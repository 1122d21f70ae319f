#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <Eigen/SVD>

template class Eigen::BDCSVD<Eigen::MatrixXd>;
